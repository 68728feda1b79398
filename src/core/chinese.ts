/* oxlint-disable max-lines -- words, not code */
/**
 * What keeptyping says to whoever looks after it, by its English sentence; `{name}` stands for a value. Only the English
 * one travels: through log, Redis and APIs. Pages and doctor find the Chinese one by it where it is read. The console's
 * page gets this file as it stands: nothing in it is TypeScript only.
 */
export const chinese = {
  // WeChat's codes
  'Typing and custom messages need a certified account: certify it or set WECHAT_TYPING=off.':
    '“正在输入”和客服消息需要认证账号：请完成认证，或设 WECHAT_TYPING=off。',
  'A Mini Program or Mini Game needs WECHAT_KIND=mini, others official.':
    '小程序和小游戏需要 WECHAT_KIND=mini，其他账号用 official。',
  'Grant the account the customer-service message permission in the WeChat console.':
    '请在微信后台为该账号开通客服消息权限。',
  'Add {address} to the IP allowlist in the WeChat console.': '请在微信后台把 {address} 加入 IP 白名单。',
  "Add this server's egress IP to the IP allowlist in the WeChat console.":
    '请在微信后台把本服务器的出口 IP 加入 IP 白名单。',
  'Check WECHAT_APP_ID and WECHAT_APP_SECRET against the WeChat console.':
    '请对照微信后台检查 WECHAT_APP_ID 和 WECHAT_APP_SECRET。',
  'Let the account authorise the third-party platform again, with customer-service permission.':
    '请让该账号重新授权第三方平台，并包含客服权限。',
  'WeChat pushes a new component_verify_ticket every 10 minutes: let the authorization event URL lead here.':
    '微信每 10 分钟推送一次新的 component_verify_ticket：请让授权事件接收 URL 指向这里。',
  'Check the customer-service accounts in the WeChat console.': '请在微信后台检查客服账号。',
  'WeChat has restricted the account: see the notices in its console.':
    '微信限制了该账号：请看其后台的通知。',
  'Let the administrator confirm the IP that WeChat asks about.': '请让管理员确认微信询问的 IP。',
  'Check the sub-merchant of the account in the WeChat console.': '请在微信后台检查该账号的子商户。',
  'WeChat accepted the call.': '微信接受了调用。',
  'Typing was on already: nothing to mend.': '“正在输入”本来就在显示：无需处理。',
  'WeChat shows typing for 30 s after the last message only; an interim text (WECHAT_INTERIM) opens that time anew.':
    '微信只在最后一条消息之后 30 秒内显示“正在输入”；等待语（WECHAT_INTERIM）会重新开始这段时间。',
  'WeChat does not know this user, or has shut them out: nothing to mend.':
    '微信不认识这个用户，或已将其屏蔽：无需处理。',
  'WeChat refuses the access token: let nothing else fetch one with /cgi-bin/token, or name it in WECHAT_ACCESS_TOKEN_URL.':
    '微信拒绝 access token：不要让别的程序用 /cgi-bin/token 获取，或把那个来源写入 WECHAT_ACCESS_TOKEN_URL。',
  'WeChat is out of order for a moment: nothing to mend.': '微信暂时出故障：无需处理。',
  'WeChat limits the calls of a minute: set WECHAT_TYPING=once, or a WECHAT_START_DELAY_MS.':
    '微信限制每分钟的调用次数：请设 WECHAT_TYPING=once，或设 WECHAT_START_DELAY_MS。',
  "The account's quota of calls is used up: typing is tried again hourly, or clear the quota in the WeChat console.":
    '该账号的调用额度已用完：“正在输入”每小时再试；也可在微信后台清零额度。',
  'The account may not: see its notices in the WeChat console.': '该账号不被允许：请看微信后台的通知。',
  'WeChat finds our request malformed: report this as a bug of keeptyping.':
    '微信认为我们的请求格式不对：请作为 keeptyping 的缺陷报告。',
  'WeChat refuses this one call: nothing is known to mend.': '微信拒绝了这一次调用：没有已知的解决办法。',
  'Set WECHAT_APP_SECRET or WECHAT_ACCESS_TOKEN_URL.':
    '请设置 WECHAT_APP_SECRET 或 WECHAT_ACCESS_TOKEN_URL。',
  "WeChat's component_verify_ticket has not come in the last 12 hours: let the authorization event URL of the platform lead here.":
    '最近 12 小时没有收到微信的 component_verify_ticket：请让平台的授权事件接收 URL 指向这里。',
  'The account has not authorised the platform while keeptyping listened: let it authorise again, or bring in its refresh token.':
    'keeptyping 运行期间该账号没有授权过平台：请让它重新授权，或导入它的 refresh token。',
  'A third-party platform itself has no users.': '第三方平台本身没有用户。',
  'The account has withdrawn its authorization of the third-party platform: let it authorise again.':
    '该账号已取消对第三方平台的授权：请让它重新授权。',

  // NXCloud's codes
  'Check accessKey and accessSecret (NXCLOUD_ACCESS_KEY, NXCLOUD_ACCESS_SECRET) against the NXCloud console.':
    '请对照牛信云后台检查 accessKey 和 accessSecret（NXCLOUD_ACCESS_KEY、NXCLOUD_ACCESS_SECRET）。',
  "Ask NXCloud's support to renew the WhatsApp access token and permissions of this number.":
    '请联系牛信云客服，更新这个号码的 WhatsApp access token 和权限。',
  "Lift the restriction of this WhatsApp Business account in Meta's Business Support Home.":
    '请在 Meta 的 Business Support Home 解除对这个 WhatsApp Business 账号的限制。',
  "Set the server's clock (and that of the Redis server) by NTP: NXCloud allows a difference of 60 s.":
    '请用 NTP 校准服务器的时钟（以及 Redis 服务器的）：牛信云最多允许相差 60 秒。',
  'Let the headers accessKey, ts, bizType, action and sign pass through the proxy before NXCloud.':
    '请让通往牛信云的代理放行请求头 accessKey、ts、bizType、action 和 sign。',
  'Check apiBase (NXCLOUD_API_BASE), and ask NXCloud whether typingIndicator is open for this account.':
    '请检查 apiBase（NXCLOUD_API_BASE），并询问牛信云该账号是否开通了 typingIndicator。',
  'Check accessSecret (NXCLOUD_ACCESS_SECRET), and that no proxy changes the body or Content-Type.':
    '请检查 accessSecret（NXCLOUD_ACCESS_SECRET），并确认没有代理改动请求体或 Content-Type。',
  'Check accessKey (NXCLOUD_ACCESS_KEY), and have WhatsApp opened for this account at NXCloud.':
    '请检查 accessKey（NXCLOUD_ACCESS_KEY），并在牛信云为该账号开通 WhatsApp。',
  'Check businessPhone (NXCLOUD_BUSINESS_PHONE): a WhatsApp Business number with its country code.':
    '请检查 businessPhone（NXCLOUD_BUSINESS_PHONE）：应为带国家代码的 WhatsApp Business 号码。',
  'Check appKey (NXCLOUD_APP_KEY), and that the app is enabled in the NXCloud console.':
    '请检查 appKey（NXCLOUD_APP_KEY），并确认该应用在牛信云后台已启用。',
  "Ask NXCloud to set a price for the user's country.": '请联系牛信云，为用户所在国家设置价格。',
  'Top up the balance of the NXCloud account.': '请为牛信云账号充值。',
  'Correct NXCLOUD_BUSINESS_PHONE and NXCLOUD_APP_KEY where the number is not one of this app, or bind it there in the NXCloud console.':
    '如果这个号码不属于该应用，请改正 NXCLOUD_BUSINESS_PHONE 和 NXCLOUD_APP_KEY；否则在牛信云后台把它绑定到该应用。',
  'Correct NXCLOUD_BUSINESS_PHONE and NXCLOUD_APP_KEY where the number is not one of this app, or bind it there through your business contact at NXCloud.':
    '如果这个号码不属于该应用，请改正 NXCLOUD_BUSINESS_PHONE 和 NXCLOUD_APP_KEY；否则请牛信云的商务联系人把它绑定到该应用。',
  'NXCloud or WhatsApp is out of order for a moment: nothing to mend.':
    '牛信云或 WhatsApp 暂时出故障：无需处理。',
  "WhatsApp refused the call for a reason that it does not name: ask NXCloud's support if it goes on.":
    'WhatsApp 拒绝了调用，没有说明原因：如果持续，请联系牛信云客服。',
  'NXCloud finds our request malformed: report this as a bug of keeptyping.':
    '牛信云认为我们的请求格式不对：请作为 keeptyping 的缺陷报告。',
  "The server's clock differs from NXCloud's by more than 60 s: set it by NTP.":
    '服务器的时钟与牛信云相差超过 60 秒：请用 NTP 校准。',
  'WhatsApp shows no typing for this message any more: nothing to mend.':
    'WhatsApp 不再为这条消息显示“正在输入”：无需处理。',
  'The user wrote more than 24 h ago: typing comes back with the next message.':
    '用户的消息已超过 24 小时：下一条消息时会恢复“正在输入”。',
  'WhatsApp limits the calls to one user: nothing to mend.': 'WhatsApp 限制对同一用户的调用：无需处理。',
  'WhatsApp limits the calls of this number: set NXCLOUD_TYPING=once, or a NXCLOUD_START_DELAY_MS.':
    'WhatsApp 限制这个号码的调用次数：请设 NXCLOUD_TYPING=once，或设 NXCLOUD_START_DELAY_MS。',
  'This code is not known: nothing is known to mend.': '这个错误码未知：没有已知的解决办法。',

  // Pushes that are refused
  'The push is not encrypted, and has to be: choose secure mode in the WeChat console, or set WECHAT_ENCRYPTION to any.':
    '推送没有加密，而加密是必需的：请在微信后台选择安全模式，或设 WECHAT_ENCRYPTION 为 any。',
  'The push is too long to be decrypted, and has to be encrypted: what WeChat itself sends is a few kB.':
    '推送过长，无法解密，而加密是必需的：微信自己发送的只有几 kB。',
  'The timestamp is too far from now: set the clock of this machine, or WECHAT_PUSH_AGE_MS to what WeChat needs.':
    '时间戳与现在相差太多：请校准本机时钟，或按微信的需要设置 WECHAT_PUSH_AGE_MS。',
  'The query has no echostr: this address answers only the check of the server URL.':
    '查询参数里没有 echostr：这个地址只回答服务器地址验证。',
  'The body is neither a JSON object nor plain XML: declarations and deep nesting are not read.':
    '请求体既不是 JSON 对象也不是普通 XML：不读取声明和过深的嵌套。',
  'The query lacks signature, timestamp or nonce: WeChat sends all three.':
    '查询参数缺少 signature、timestamp 或 nonce：微信三个都会发送。',
  'The signature does not match: set the same Token here and in the WeChat console.':
    '签名不符：这里和微信后台的 Token 必须相同。',
  'The msg_signature does not match: set the same Token here and in the WeChat console.':
    'msg_signature 不符：这里和微信后台的 Token 必须相同。',
  'The push is not encrypted: those of a third-party platform always are.':
    '推送没有加密：第三方平台的推送总是加密的。',
  'The query says encrypt_type=aes but the body has no Encrypt: send what it announces.':
    '查询参数写着 encrypt_type=aes，请求体里却没有 Encrypt：两者应当一致。',
  'The push is encrypted: set WECHAT_ENCODING_AES_KEY to the EncodingAESKey of the console.':
    '推送是加密的：请把 WECHAT_ENCODING_AES_KEY 设为后台的 EncodingAESKey。',
  'The push was encrypted for another AppID: set WECHAT_APP_ID to the one of this console.':
    '推送是为另一个 AppID 加密的：请把 WECHAT_APP_ID 设为该后台的 AppID。',
  'The push cannot be decrypted: set WECHAT_ENCODING_AES_KEY to the EncodingAESKey of the console.':
    '推送无法解密：请把 WECHAT_ENCODING_AES_KEY 设为后台的 EncodingAESKey。',
  'The header "sign" is missing: switch callback signing on for the app at NXCloud, or set verifyCallbacks to "auto".':
    '缺少请求头 "sign"：请在牛信云为该应用开启回调签名，或把 verifyCallbacks 设为 "auto"。',
  'The header "sign" is missing, though signed pushes have come: keep callback signing on for the app at NXCloud, or set verifyCallbacks to "off".':
    '缺少请求头 "sign"，而之前来过签名的推送：请在牛信云保持该应用的回调签名开启，或把 verifyCallbacks 设为 "off"。',
  'The header "{header}" is missing: a signed push carries accesskey, action, biztype, ts and sign.':
    '缺少请求头 "{header}"：签名的推送带有 accesskey、action、biztype、ts 和 sign。',
  'The header "sign" does not match: it must be made with this account\'s access secret.':
    '请求头 "sign" 不符：它必须用该账号的 access secret 生成。',
  'The body is not a JSON object: send it as NXCloud does.': '请求体不是 JSON 对象：请按牛信云的格式发送。',
  'The push is for a business phone, or an app, that no account here has, and was dropped: correct NXCLOUD_BUSINESS_PHONE or NXCLOUD_APP_ID, or let the pushes of that number go elsewhere.':
    '推送属于这里没有账号的商务号码或应用，已丢弃：请改正 NXCLOUD_BUSINESS_PHONE 或 NXCLOUD_APP_ID，或让那个号码的推送去别处。',

  // How Redis stands
  'Redis takes no writes: its memory is full: give it more.': 'Redis 不接受写入：内存已满，请给它更多内存。',
  'Redis takes no writes: it cannot write to its disk: look whether that is full.':
    'Redis 不接受写入：它写不了磁盘，请看磁盘是否已满。',
  'Redis takes no writes: too few of its replicas are there: look why.':
    'Redis 不接受写入：在线的副本太少，请查明原因。',
  'Redis takes no writes: it is a replica now: REDIS_URL has to lead to the primary.':
    'Redis 不接受写入：它现在是副本，REDIS_URL 应指向主节点。',
  'Redis is out of reach.': 'Redis 连接不上。',
  'Redis is out of reach ({cause}).': 'Redis 连接不上（{cause}）。',
  'It is a replica now: REDIS_URL has to lead to the primary.': '它现在是副本：REDIS_URL 应指向主节点。',
  'Of {all} Redis it is number {which}.': '共有 {all} 个 Redis，这是第 {which} 个。',
  'It takes no commands yet: it may be loading its data.': '它还不接受命令：可能正在加载数据。',
  'It wants another user or password: set them in REDIS_URL.':
    '它需要别的用户或密码：请在 REDIS_URL 中设置。',
  'Its certificate is self-signed: set REDIS_TLS_REJECT_UNAUTHORIZED=0 to accept it.':
    '它的证书是自签名的：设 REDIS_TLS_REJECT_UNAUTHORIZED=0 即可接受。',
  '{command} is refused ({word}): {lost}': '{command} 被拒绝（{word}）：{lost}',
  '{commands} are refused ({word}): {lost}': '{commands} 被拒绝（{word}）：{lost}',
  '{commands} and {more} more are refused ({word}): {lost}':
    '{commands} 等另外 {more} 个命令被拒绝（{word}）：{lost}',
  'Redis counts as away: nothing is typed, and a message lives only in the process that took it':
    '相当于 Redis 连接不上：不显示“正在输入”，消息只存在于收下它的进程里',
  'this process cannot run jobs: it makes no typing calls and takes over no message that another one leaves':
    '本进程不能处理任务：不调用“正在输入”，也不接手别的进程留下的消息',
  'on the shards beyond the first nothing is typed, and a message there lives only in the process that took it':
    '第一个以外的分片上不显示“正在输入”，那里的消息只存在于收下它的进程里',
  'an answer for a connection that another process holds is looked for, which is slower':
    '别的进程持有的连接所等的回答只能靠查询，因而较慢',
  "each process goes by its own machine's clock: keep those right by NTP":
    '各进程按自己机器的时钟：请用 NTP 保持准确',
  'what is learned of accounts, the journal and the console are incomplete':
    '对账号的了解、事件记录和控制台都不完整',
  "this node of a Redis Cluster does not hold keeptyping's keys (MOVED), and another one is not looked for: {lost}":
    'Redis Cluster 的这个节点没有 keeptyping 的键（MOVED），也不会去找别的节点：{lost}',
  'Let REDIS_URL begin with redis+cluster://, or rediss+cluster://: then the node that holds them is found.':
    '请让 REDIS_URL 以 redis+cluster:// 或 rediss+cluster:// 开头：这样会找到存放它们的节点。',
  'Give this user of Redis {rights}; where a proxy stands between, let REDIS_URL name Redis itself.':
    '请给这个 Redis 用户 {rights}；中间有代理时，请让 REDIS_URL 直接指向 Redis。',

  // Calls of the bot
  'status {status}, {url}': '状态码 {status}，{url}',
  'timed out after {seconds} s, {url}': '{seconds} 秒后超时，{url}',
  'connection refused ({word}), {url}': '连接被拒绝（{word}），{url}',
  'connection reset ({word}), {url}': '连接被重置（{word}），{url}',
  'host not found ({word}), {url}': '找不到主机（{word}），{url}',
  'host not reached ({word}), {url}': '到不了主机（{word}），{url}',
  'The bot at {url} answered with {cause}': '机器人 {url} 回答了{cause}',
  'The bot at {url} did not answer: {cause}': '机器人 {url} 没有应答：{cause}',
  'status {status}': '状态码 {status}',
  'timed out after {seconds} s': '{seconds} 秒后超时',
  'connection refused ({word})': '连接被拒绝（{word}）',
  'connection reset ({word})': '连接被重置（{word}）',
  'host not found ({word})': '找不到主机（{word}）',
  'host not reached ({word})': '到不了主机（{word}）',
  'no answer within {seconds} s': '{seconds} 秒内没有应答',

  // What a bot looks like
  "The bot only acknowledges, and nothing tells when it has answered: let its API calls pass the gateway, or let it answer in the webhook's answer (WeChat), or NXCloud send its statuses here: docs/recipes.md.":
    '机器人只作应答，无从得知它何时回答：请让它的 API 调用经过 gateway，或让它在 webhook 响应里回答（微信），或让牛信云把消息状态推送到这里：docs/recipes.zh-CN.md。',
  'The bot waits for the next delivery of WeChat (it answers 500 just before 5 s, or success only after), which WECHAT_REDELIVER=off withholds: unset that.':
    '机器人在等微信的下一次推送（临近 5 秒时应答 500，或超过 5 秒才应答 success），而 WECHAT_REDELIVER=off 不让它得到：请取消该设置。',
  'The bot answers later than the deliveries of WeChat wait, and in pass mode nothing else brings its answer: set WECHAT_BOT_MODE=job.':
    '机器人的回答晚于微信推送的等待时间，而 pass 模式下没有别的途径送达：请设 WECHAT_BOT_MODE=job。',
  'The bot sends several messages to one question, and the first ends the typing: set *_SEND_ENDS=silence, or name in *_NO_ANSWERS the texts that are no answers.':
    '机器人对一个问题发送多条消息，第一条就结束了“正在输入”：请设 *_SEND_ENDS=silence，或在 *_NO_ANSWERS 里列出不算回答的文本。',

  // Replies that failed
  'outcome unknown: {cause}': '结果不明：{cause}',
  'a process died while it sent the answer.': '进程在发送回答时终止。',
  'its record is older than what Redis keeps.': '它的记录早于 Redis 所保留的。',
  'The platform refused the answer with {code}: {reason}': '平台以 {code} 拒绝了回答：{reason}',
  'The answer cannot be sent late: {reason}': '这个回答不能迟发：{reason}',
  'The answer was not sent: {cause}': '回答没有发出：{cause}',
  'The platform allows no more messages until the user writes again: run the job again then.':
    '用户再次发消息之前，平台不允许再发：请届时再次运行这个任务。',
  '{rest} remain.': '还剩 {rest}。',
  '{count} of {all} characters': '{count} 个字符（共 {all}）',
  '{count} of {all} articles': '{count} 篇文章（共 {all}）',
  'The push names no user.': '推送没有写明用户。',
  'its Content-Encoding is none that can be read: let the bot send it plain':
    '它的 Content-Encoding 无法读取：请让机器人不压缩地发送',
  'the answer is encrypted with a key other than WECHAT_ENCODING_AES_KEY':
    '回答是用 WECHAT_ENCODING_AES_KEY 之外的密钥加密的',
  'the answer is neither XML nor a JSON object': '回答既不是 XML 也不是 JSON 对象',
  'the answer has no MsgType': '回答里没有 MsgType',
  'the {kind} answer lacks its content': '{kind} 回答缺少内容',
  'transfer_customer_service works only as an immediate webhook answer: let the bot decide within 5 s':
    'transfer_customer_service 只能作为立即的 webhook 响应：请让机器人在 5 秒内决定',
  'an answer {kind} has no counterpart among the custom messages: let the bot answer within 5 s':
    '类型为 {kind} 的回答在客服消息中没有对应的种类：请让机器人在 5 秒内回答',
  'WeChat did not answer in its JSON': '微信没有以它的 JSON 应答',
  'WeChat answered HTTP {status}': '微信应答 HTTP {status}',
  'WeChat answered HTTP {status}: check WECHAT_API_BASE': '微信应答 HTTP {status}：请检查 WECHAT_API_BASE',
  'WeChat: {cause}': '微信：{cause}',
  'WeChat gave no complete answer': '微信没有给出完整的应答',
  'WeChat gave no complete answer ({word})': '微信没有给出完整的应答（{word}）',
  'WeChat could not be reached': '连接不上微信',
  'WeChat could not be reached ({word})': '连接不上微信（{word}）',
  'the token endpoint answered without a token': 'token 接口的应答里没有 token',
  'the token endpoint answered HTTP {status}': 'token 接口应答 HTTP {status}',
  'the token endpoint did not answer with a token in JSON': 'token 接口没有以 JSON 应答 token',
  'no time was left for the typing call': '没有时间再调用“正在输入”了',
  'no access token: {cause}': '没有 access token：{cause}',
  'the secrets of the third-party platform were closed by another ACCOUNTS_KEY':
    '第三方平台的密钥是用另一个 ACCOUNTS_KEY 加密的',

  // Faults of the configuration
  '{setting} is missing: copy {what} from the WeChat console': '缺少 {setting}：请从微信后台复制 {what}',
  '{setting} is missing: copy {what} from the NXCloud console': '缺少 {setting}：请从牛信云后台复制 {what}',
  '{setting} is missing: copy {what} from {page}': '缺少 {setting}：请从 {page} 复制 {what}',
  '{setting} is missing: set it, or {other}': '缺少 {setting}：请设置它，或 {other}',
  'the AppID': 'AppID',
  'the Token': 'Token',
  'the message key': '消息加解密 Key',
  'the accessKey': 'accessKey',
  'the accessSecret': 'accessSecret',
  "the application's appkey": '应用的 appkey',
  'the Token from the message push settings of': '消息推送设置里的 Token',
  '{setting} must be a text in quotes': '{setting} 必须是带引号的文本',
  '{setting} must be one of {choices}': '{setting} 必须是以下之一：{choices}',
  '{setting} must be true or false': '{setting} 必须是 true 或 false',
  '{setting} must be a whole number from {least} to {most}': '{setting} 必须是 {least} 到 {most} 的整数',
  '{setting} must be a whole URL that begins with https:// or http://':
    '{setting} 必须是以 https:// 或 http:// 开头的完整 URL',
  '{setting} must be a URL that begins with redis:// or rediss://, or redis+cluster://host:port,host:port, or redis+sentinel://host:port,host:port/name':
    '{setting} 必须是以 redis:// 或 rediss:// 开头的 URL，或 redis+cluster://host:port,host:port，或 redis+sentinel://host:port,host:port/name',
  '{setting} must be URLs as REDIS_URL takes them, apart by blanks or commas':
    '{setting} 必须是 REDIS_URL 那样的 URL，以空格或逗号分隔',
  '{setting} must be no more than REDIS_URLS names: each shard is on one of them':
    '{setting} 不能多于 REDIS_URLS 中的个数：每个分片在其中一个上',
  '{setting} must be a URL that begins with http:// or https://':
    '{setting} 必须是以 http:// 或 https:// 开头的 URL',
  '{setting} must be the digits of the phone number, country code first':
    '{setting} 必须是电话号码的数字，以国家代码开头',
  '{setting} must be the 43 letters and digits that the platform shows as EncodingAESKey':
    '{setting} 必须是平台显示为 EncodingAESKey 的 43 个字母和数字',
  '{setting} must be an object of message types, each true or false':
    '{setting} 必须是以消息类型为键的对象，值为 true 或 false',
  '{setting} must not be empty': '{setting} 不能为空',
  '{setting} is no regular expression': '{setting} 不是正则表达式',
  '{setting} must be a list of texts': '{setting} 必须是文本的列表',
  '{setting} must be at most {most} texts': '{setting} 最多 {most} 个文本',
  '{setting} must be at most {most} bytes long': '{setting} 最长 {most} 字节',
  '{setting} must be at most {most} characters long': '{setting} 最长 {most} 个字符',
  '{setting} must be a number of seconds': '{setting} 必须是秒数',
  '{setting} must be 0 or more': '{setting} 必须是 0 或更大',
  '{setting} must be less than a day': '{setting} 必须少于一天',
  '{setting} must be less than REPLY_DEADLINE_MS, or a turn ends before its bot may':
    '{setting} 必须小于 REPLY_DEADLINE_MS，否则等待会先于机器人结束',
  '{setting} must be an object with text and, if you like, after (seconds)':
    '{setting} 必须是有 text、可选 after（秒）的对象',
  '{setting} must be an object with kfAccount or isAiMessage':
    '{setting} 必须是有 kfAccount 或 isAiMessage 的对象',
  '{setting} must be an object of accounts by name': '{setting} 必须是以账号名为键的对象',
  '{setting} must be an object': '{setting} 必须是对象',
  '{setting} must hold an object': '{setting} 必须是一个对象',
  '{setting} must be at least 16 characters long, without spaces': '{setting} 至少 16 个字符，不含空格',
  '{setting} must be 16 to 200 letters, digits, _ and -': '{setting} 必须是 16 到 200 个字母、数字、_ 和 -',
  '{setting} must be 32 bytes in base64 or hex, as `openssl rand -base64 32` makes them':
    '{setting} 必须是 base64 或十六进制的 32 字节，可用 `openssl rand -base64 32` 生成',
  '{setting} must begin with /': '{setting} 必须以 / 开头',
  '{setting} must be the name of a BullMQ queue, without a colon':
    '{setting} 必须是 BullMQ 队列的名称，不含冒号',
  '{setting} must be the digits that pushes carry as app_id': '{setting} 必须是推送里 app_id 的数字',
  '{setting} must be a list of AppIDs': '{setting} 必须是 AppID 的列表',
  '{setting} is no AppID': '{setting} 不是 AppID',
  '{setting} must hold {appid}: one token is not good for another account':
    '{setting} 必须含有 {appid}：一个账号的 token 不能用于另一个',
  '{setting} must be what stands behind "Authorization: "': '{setting} 必须是 "Authorization: " 后面的内容',
  '{setting} must be 1': '{setting} 必须是 1',
  '{setting} must be JSON': '{setting} 必须是 JSON',
  '{setting} is set without ACCOUNTS_KEY: set the new key there':
    '设置了 {setting} 却没有 ACCOUNTS_KEY：请把新的 key 设在那里',
  '{names} is no {noun} of an account': '{names} 不是账号的{noun}',
  '{names} are no {noun} of an account': '{names} 不是账号的{noun}',
  '{names} is no {noun} of a component': '{names} 不是第三方平台的{noun}',
  '{names} are no {noun} of a component': '{names} 不是第三方平台的{noun}',
  '{names} is no {noun} that can be set': '{names} 不是可以设置的{noun}',
  '{names} are no {noun} that can be set': '{names} 不是可以设置的{noun}',
  field: '字段',
  fields: '字段',
  rule: '规则',
  rules: '规则',
  '{name} is unknown: it holds version, accounts (of wechat and nxcloud) and components':
    '{name} 未知：其中只有 version、accounts（wechat 和 nxcloud）和 components',
  'needs {reference}, which the environment does not set': '需要 {reference}，而环境变量里没有',
  'the environment defines an account of that name': '环境变量已定义了同名账号',
  'the environment or a file defines an account of that name': '环境变量或文件已定义了同名账号',
  'there is no such channel': '没有这个渠道',
  '{file}: cannot be read: let this user read it': '{file}：无法读取，请让当前用户可以读取它',
  '{file}: is not JSON: mend it or remove it': '{file}：不是 JSON，请改正或删除',
  '{file}: is not JSON (line {line}): mend it or remove it':
    '{file}：不是 JSON（第 {line} 行），请改正或删除',
  'CONFIG_DIR names a folder with neither default.json nor local.json: add one, or unset it':
    'CONFIG_DIR 指向的文件夹里既没有 default.json 也没有 local.json：请添加一个，或取消该设置',
  'BYPASS needs a bot to forward to: set WECHAT_BOT_URL or NXCLOUD_BOT_URL':
    'BYPASS 需要可以转发到的机器人：请设置 WECHAT_BOT_URL 或 NXCLOUD_BOT_URL',
  '{name} is no setting of keeptyping: it has no effect': '{name} 不是 keeptyping 的设置：它不起作用',
  '{name}: appSecret and accessTokenUrl are unset: no typing and no late answers':
    '{name}：没有设置 appSecret 和 accessTokenUrl：没有“正在输入”，也不能发送迟到的回答',
  '{field} leads to an address that may not be set at run time: use a public one':
    '{field} 指向运行中不允许设置的地址：请用公网地址',
  '{field} leads to an address that may not be set at run time: use a public one, or set ALLOW_PRIVATE_URLS=1':
    '{field} 指向运行中不允许设置的地址：请用公网地址，或设 ALLOW_PRIVATE_URLS=1',
  'its record has a version that this release does not know: bring all processes to one release':
    '它的记录的版本是本版本不认识的：请让所有进程使用同一版本',
  'its record cannot be read: set the account anew, or delete it':
    '它的记录无法读取：请重新设置该账号，或删除它',

  // The console's answers
  'Log in with the control token.': '请用控制令牌登录。',
  'The console does not know this.': '控制台不认识这个请求。',
  'Redis is out of reach: try again in a moment.': 'Redis 连接不上：请稍后再试。',
  'Send what the page sends.': '请求的内容与页面发送的不符。',
  'No such job has failed: it may run again already.': '没有这个失败的任务：它可能已经再次运行。',
  'Nobody knows whether the user has this answer: sent again it may come twice.':
    '没有人知道用户是否已收到这个回答：再发一次可能收到两次。',
  'Too many pages are open here: close one.': '打开的页面太多：请关闭一个。',
  'Only the console’s own page may ask this.': '只有控制台自己的页面可以这样请求。',
  'No account {account} is served.': '没有账号 {account}。',

  // The doctor
  '{option} is no option of the doctor: see --help.': 'doctor 没有选项 {option}：请看 --help。',
  '--lang {language} is not known: say en or zh-CN.': '不认识 --lang {language}：请用 en 或 zh-CN。',
  'The webhook URL must be a whole URL that begins with https:// or http://.':
    'webhook URL 必须是以 https:// 或 http:// 开头的完整 URL。',
  'Look whether this machine reaches it: addresses, firewall, proxy.':
    '请检查本机能否连上它：地址、防火墙、代理。',
  'the check itself failed ({kind})': '检查本身失败（{kind}）',
  'Please report it.': '请报告这个问题。',
  'this account is skipped: {reason}': '跳过了这个账号：{reason}',
  'Correct it and start keeptyping anew.': '请改正，然后重新启动 keeptyping。',
  'is set: pushes are only passed on': '已设置：推送只作转发',
  'Unset it.': '请取消该设置。',
  'the environment': '环境变量',
  'serves {accounts} (from {places})': '服务于 {accounts}（来自 {places}）',
  'no account is configured in {places}': '{places} 中没有配置账号',
  '{places} define no account: those that were set at run time are served':
    '{places} 中没有配置账号：服务于运行中添加的账号',
  'whether accounts were set at run time is not known, and no others are configured':
    '没有配置账号，是否有运行中添加的账号不得而知',
  'Mend Redis.': '请先解决 Redis 的问题。',
  'keeptyping does not start with this.': '这样 keeptyping 无法启动。',
  'Set WECHAT_APP_ID, WECHAT_APP_SECRET, WECHAT_TOKEN and WECHAT_BOT_URL, or NXCLOUD_ACCESS_KEY, NXCLOUD_ACCESS_SECRET, NXCLOUD_APP_KEY and NXCLOUD_BOT_URL.':
    '请设置 WECHAT_APP_ID、WECHAT_APP_SECRET、WECHAT_TOKEN 和 WECHAT_BOT_URL，或 NXCLOUD_ACCESS_KEY、NXCLOUD_ACCESS_SECRET、NXCLOUD_APP_KEY 和 NXCLOUD_BOT_URL。',
  'within the hour': '一小时内',
  '{hours} h ago': '{hours} 小时前',
  '{days} d ago': '{days} 天前',
  '{minutes} min ago': '{minutes} 分钟前',

  // The doctor, of the bot and the webhook
  'Look into its log.': '请看它的日志。',
  'Set the same secrets in the bot as here: it checks the signature itself.':
    '请让机器人与这里的密钥相同：它自己会检查签名。',
  'a proxy answers for it with HTTP {status}': '由代理替它应答 HTTP {status}',
  'Start the bot.': '请启动机器人。',
  'reached, answers in {took}': '连得上，{took} 内应答',
  'reached, but refuses with HTTP {status}': '连得上，但以 HTTP {status} 拒绝',
  'HTTP {status} at its URL': '它的 URL 应答 HTTP {status}',
  "Check the path of the bot's URL.": '请检查机器人 URL 的路径。',
  "Check the path of the bot's URL, unless the bot takes only POST there.":
    '请检查机器人 URL 的路径；如果机器人在那里只接受 POST 则不必。',
  'reached, but answers HTTP {status}': '连得上，但应答 HTTP {status}',
  'It may do without; else set the same secrets in the bot as here.':
    '机器人可以不支持它；否则请让机器人与这里的密钥相同。',
  'reached (HTTP {status}), but does not answer the check of its URL':
    '连得上（HTTP {status}），但不回答服务器地址验证',
  'Start the bot, check its URL (botUrl), and that this machine reaches it.':
    '请启动机器人，检查它的 URL（botUrl），并确认本机连得上它。',
  'not reached ({cause})': '连接不上（{cause}）',
  'Look into its log; BOT_TIMEOUT_MS is how long keeptyping waits.':
    '请看它的日志；keeptyping 等待的时间是 BOT_TIMEOUT_MS。',
  'none to a message ({cause})': '对一条消息没有回答（{cause}）',
  '{answer} after {took}: {waits}': '{took} 后得到 {answer}：{waits}',
  'HTTP {status} to a message': '对一条消息应答 HTTP {status}',
  '{kind} after {took}': '{took} 后得到{kind}',
  '{kind} after {took}, {unshown}: it goes out through the API':
    '{took} 后得到{kind}，{unshown}：改经 API 发出',
  '{kind} after {took}, {unshown}': '{took} 后得到{kind}，{unshown}',
  "it waits for WeChat's next delivery, and is called again as WeChat would (unless WECHAT_REDELIVER=off)":
    '它在等微信的下一次推送，会像微信那样再次调用它（WECHAT_REDELIVER=off 时除外）',
  "it waits for WeChat's next delivery": '它在等微信的下一次推送',
  "Set the bot's mode (botMode) to job: only then it is sent.":
    '请把机器人模式（botMode）设为 job：只有这样才会发送。',
  'a message': '一条消息',
  'an acknowledgement, the message comes another way,': '应答，消息另经别的途径',
  'a hand-over to a human': '转人工',
  '{url} takes a signed request, in {took}': '{url} 接受签好名的请求，用时 {took}',
  '{url} takes a signed message, in {took}': '{url} 接受签好名的消息，用时 {took}',
  'an unsigned and a wrongly signed one are refused': '没有签名和签名错误的都被拒绝',
  '{unsigned} to an unsigned one, {wrong} to a wrongly signed one':
    '对没有签名的应答 {unsigned}，对签名错误的应答 {wrong}',
  'no answer': '没有应答',
  'Check the URL, and what stands before keeptyping: DNS, certificate, proxy, tunnel.':
    '请检查 URL，以及 keeptyping 前面的 DNS、证书、代理、隧道。',
  'Start keeptyping there with the secrets that stand here, and see that no proxy changes the request.':
    '请用这里的密钥启动那边的 keeptyping，并确认没有代理改动请求。',
  'the signature is refused (HTTP 401)': '签名被拒绝（HTTP 401）',
  'Check the URL; start keeptyping there anew if the account is newer than the process.':
    '请检查 URL；如果账号比进程新，请重新启动那边的 keeptyping。',
  'no such account there (HTTP 404)': '那边没有这个账号（HTTP 404）',
  'somebody else answers there': '那边应答的不是 keeptyping',
  'Give the public one: npm run doctor -- --webhook https://typing.example.com.':
    '请给出公网地址：npm run doctor -- --webhook https://typing.example.com。',
  'not tried: nothing answers at {base}': '没有试：{base} 没有应答',
  'not tried: what answers at {base} is not keeptyping': '没有试：{base} 应答的不是 keeptyping',

  // The doctor, of Redis
  'Allow INFO to this user, or look at version, maxmemory-policy and persistence yourself.':
    '请允许这个用户使用 INFO，或自己查看版本、maxmemory-policy 和持久化。',
  'not known: INFO is not allowed here': '不得而知：这里不允许 INFO',
  'Look in its console that maxmemory-policy is noeviction.':
    '请在它的控制台确认 maxmemory-policy 是 noeviction。',
  'Redis does not tell it': 'Redis 不告知',
  "agrees with this machine's": '与本机一致',
  "{seconds} s behind this machine's": '比本机慢 {seconds} 秒',
  "{seconds} s ahead of this machine's": '比本机快 {seconds} 秒',
  'Set both clocks by NTP.': '请用 NTP 校准两边的时钟。',
  'all that are used are allowed': '用到的都允许',
  'Ask again when it takes commands.': '请等它接受命令时再试。',
  'cannot be tried now ({word})': '现在无法试用（{word}）',
  'Let REDIS_URL begin with redis+cluster://, or rediss+cluster://.':
    '请让 REDIS_URL 以 redis+cluster:// 或 rediss+cluster:// 开头。',
  "this node does not hold keeptyping's keys": '这个节点没有 keeptyping 的键',
  'Let this user of Redis read and write the keys {prefix}:*.': '请让这个 Redis 用户可以读写 {prefix}:* 键。',
  'cannot be read ({word})': '无法读取（{word}）',
  alive: '在运行',
  'Start keeptyping; with web and worker apart, look why no worker runs: the web does its work meanwhile.':
    '请启动 keeptyping；web 与 worker 分开时，请看为什么没有 worker：其间由 web 代劳。',
  'no sign of life in the last 3 s': '最近 3 秒没有存活的迹象',
  '{version} is too old': '{version} 太旧',
  'Use Redis 6.2 or newer, or Valkey.': '请用 Redis 6.2 以上，或 Valkey。',
  'this is a replica: it takes no writes': '这是副本：不接受写入',
  'Let REDIS_URL name the primary.': '请让 REDIS_URL 指向主节点。',
  'Let REDIS_URL end with the name under which the Sentinels monitor the primary.':
    '请让 REDIS_URL 以 Sentinel 监视主节点所用的名称结尾。',
  'SHARDS is {shards}: no process has said so yet': 'SHARDS 是 {shards}：还没有进程宣布过',
  '{most} are in use, and REDIS_URLS names {named}': '在用的有 {most} 个，而 REDIS_URLS 只列出 {named} 个',
  'Name all that are in use, in their order.': '请按顺序列出所有在用的。',
  '{shards} in use': '在用 {shards} 个',
  '{shards} from {at} on': '从 {at} 起用 {shards} 个',
  'those of SHARDS={shards} are looked into until {at}': 'SHARDS={shards} 时的分片查看到 {at} 为止',
  'SHARDS is {shards} here': '这里的 SHARDS 是 {shards}',
  'Deploy it: the first process that starts with it says so, and all change 30 s later.':
    '部署即可：第一个以它启动的进程会宣布，30 秒后一起改变。',
  '{policy}: when its memory is full, Redis drops messages': '{policy}：内存满时，Redis 会丢弃消息',
  'Set maxmemory-policy to noeviction.': '请把 maxmemory-policy 设为 noeviction。',
  'Set appendonly yes, or choose a plan that has it.': '请设 appendonly yes，或选用支持它的套餐。',
  'off: what waits in Redis is lost when it restarts': '关闭：Redis 重启时，其中等待的内容会丢失',
  'the last write of the append-only file failed': '最近一次写入 append-only 文件失败',
  "Look at the disk of Redis's machine: it may be full.": '请看 Redis 所在机器的磁盘：可能已满。',
  '{used} used': '已用 {used}',
  '{used} of {limit} used': '已用 {used}，共 {limit}',
  '{used} used; it tells of no limit': '已用 {used}；它没有说明上限',
  'Each process of keeptyping has up to 5: close others, or choose a larger plan.':
    'keeptyping 每个进程最多用 5 个连接：请关闭别的连接，或选用更大的套餐。',
  'Give Redis more memory: when it is full it takes no more messages.':
    '请给 Redis 更多内存：满了就不再接受消息。',
  'reached in {took}': '{took} 内连上',
  'reached in {took} (the one that keeptyping started)': '{took} 内连上（keeptyping 启动的那个）',
  'Set REDIS_URL to a Redis whose maxmemory-policy is noeviction.':
    '请把 REDIS_URL 设为 maxmemory-policy 是 noeviction 的 Redis。',
  'REDIS_URL is missing': '缺少 REDIS_URL',
  'REDIS_URL is not set and no redis-server is installed: keeptyping keeps all in memory':
    '没有设置 REDIS_URL，也没有安装 redis-server：keeptyping 把一切保存在内存里',
  'Install redis-server.': '请安装 redis-server。',
  'REDIS_URL is not set: keeptyping starts {server} when it runs; it does not run now':
    '没有设置 REDIS_URL：keeptyping 运行时会启动 {server}；现在它没有运行',
  'Put the right user and password into REDIS_URL: redis://user:password@host:6379.':
    '请在 REDIS_URL 中写入正确的用户和密码：redis://user:password@host:6379。',
  'Start it, check REDIS_URL, and that this machine reaches it.':
    '请启动它，检查 REDIS_URL，并确认本机连得上它。',
  'CONTROL_TOKEN is not set: the token is in {file}': '没有设置 CONTROL_TOKEN：令牌在 {file}',
  'GATEWAY_KEY is not set: the bot calls /gateway/<key>/…, <key> is in {file}':
    '没有设置 GATEWAY_KEY：机器人调用 /gateway/<key>/…，<key> 在 {file}',

  // The doctor, of what was seen of an account
  'not refused by the platform': '平台没有拒绝',
  "refused with code {code}; tried again in {minutes} min, at once after a restart, or by the console's button":
    '被拒绝，错误码 {code}；{minutes} 分钟后再试，重启或按控制台的按钮则立即再试',
  'refused with code {code}; tried again with the next message': '被拒绝，错误码 {code}；下一条消息时再试',
  'last seen {ago}': '最近一次在{ago}',
  "Put keeptyping's URL, {path}, into the platform's console, and write to the account.":
    '请把 keeptyping 的 URL（{path}）填入平台的后台，并给该账号发一条消息。',
  'never seen': '从未见过',
  'some were not taken, the last {ago}, and others since were':
    '有些没有被接受，最近一次在{ago}，此后也有被接受的',
  'not taken, the last {ago}, and none since was': '没有被接受，最近一次在{ago}，此后一个也没有接受过',
  'first seen {ago}: others are refused since then': '首次在{ago}：此后拒绝其他推送',
  'none older than 1 min was taken': '没有接受过早于 1 分钟的',
  'the oldest taken was over {age} old, {ago}': '接受过的最旧的超过 {age}，在{ago}',
  'turns ended by {ways}': '等待结束的依据：{ways}',
  'nothing tells when an answer is out': '无从得知回答何时发出',
  'nothing tells when answers are out, {ago}': '无从得知回答何时发出，{ago}',
  'nothing tells when answers are out, {ago}; before that by {ways}':
    '无从得知回答何时发出，{ago}；此前的依据：{ways}',
  "in the bot's webhook answer, last seen {ago}": '在机器人的 webhook 响应里，最近一次在{ago}',
  "in the bot's webhook answer, last seen {ago}, {note}: in job mode they go out through the API":
    '在机器人的 webhook 响应里，最近一次在{ago}，{note}：job 模式下经 API 发出',
  'the bot acknowledges, and sends another way': '机器人只作应答，另经别的途径发送',
  'one came too late ({ago}) of a kind that no API can send':
    '有一个来得太迟（{ago}），属于没有 API 能发送的种类',
  "Let the bot give such answers (transfer_customer_service, for one) within HOLD_MS, or send them by the platform's API; npm run replies says what it was.":
    '请让机器人在 HOLD_MS 之内给出这类回答（例如 transfer_customer_service），或用平台 API 发送；npm run replies 会说明是什么。',
  'the bot sends several to one question (last seen {ago}), and the first ends the typing':
    '机器人对一个问题发送多条消息（最近一次在{ago}），第一条就结束了“正在输入”',
  'Set *_SEND_ENDS=silence, or name in *_NO_ANSWERS the texts that are no answers.':
    '请设 *_SEND_ENDS=silence，或在 *_NO_ANSWERS 里列出不算回答的文本。',
  'never seen, and not needed': '从未见过，也不需要',
  'never seen in use: the variables that end in _PREVIOUS can be removed':
    '从未见有人使用：以 _PREVIOUS 结尾的变量可以删除',
  'last used {ago}: the variables that end in _PREVIOUS can be removed':
    '最近一次使用在{ago}：以 _PREVIOUS 结尾的变量可以删除',
  'Give the new one to whoever uses the old one; keep the _PREVIOUS until then.':
    '请把新的交给还在用旧的那一方；在此之前保留 _PREVIOUS。',
  'still in use ({ago})': '仍在使用（{ago}）',
  'this component is skipped': '跳过了这个第三方平台',
  'its ticket is in Redis, which is not reached': '它的 ticket 在 Redis 里，而 Redis 连接不上',
  'It refreshes tokens by itself: set ACCOUNTS_KEY, with which its secrets are closed in Redis.':
    '它自己刷新 token：请设置 ACCOUNTS_KEY，用来加密它在 Redis 里的密钥。',
  'set at run time: {accounts}': '运行中添加的：{accounts}',

  // The doctor, of the platforms
  'See that the URL leads to keeptyping itself: it never takes one.':
    '请确认 URL 指向 keeptyping 本身：它从不接受这样的请求。',
  'Set WECHAT_SPLIT=auto.': '请设 WECHAT_SPLIT=auto。',
  'and WeChat shows no webhook answer of a Mini Program': '而微信不显示小程序的 webhook 响应',
  'longer than 2,048 bytes, of which WeChat shows nothing': '超过 2,048 字节，微信不会显示',
  "Let the bot answer in the webhook's answer, or its API calls pass the gateway, or set BOT_QUEUE (see docs/recipes.md).":
    '请让机器人在 webhook 响应里回答，或让它的 API 调用经过 gateway，或设 BOT_QUEUE（见 docs/recipes.zh-CN.md）。',
  'WeChat gives one': '微信给出了',
  'the token service gives one': 'token 服务给出了',
  'there is nothing to ask for one with: neither typing nor late answers work':
    '没有可以用来获取的凭据：“正在输入”和迟到的回答都不能用',
  'refused with {code}': '被拒绝：{code}',
  'Check {where}, and that this machine reaches it (HTTPS_PROXY).':
    '请检查 {where}，并确认本机连得上它（HTTPS_PROXY）。',
  "WeChat takes no calls from this machine's address: {code}": '微信不接受来自本机 IP 的调用：{code}',
  "WeChat takes calls from this machine's address": '微信接受来自本机 IP 的调用',
  'Check WECHAT_API_BASE and WECHAT_TYPING_PATH, and try again.':
    '请检查 WECHAT_API_BASE 和 WECHAT_TYPING_PATH，然后再试。',
  'not known: {cause}': '不得而知：{cause}',
  'the account may show typing': '该账号可以显示“正在输入”',
  'not known: WeChat answered {code}': '不得而知：微信应答 {code}',
  'Let WECHAT_ACCESS_TOKEN_URL serve the token of this very AppID.':
    '请让 WECHAT_ACCESS_TOKEN_URL 给出这个 AppID 自己的 token。',
  'Try again in a minute.': '请一分钟后再试。',
  "The day's calls are used up: look who makes so many.": '当天的调用次数已用完：请看是谁调用了这么多。',
  "Try again; if it stays, look the code up in WeChat's list of return codes.":
    '请再试；如果仍然如此，请在微信的返回码列表里查这个错误码。',
  'another process is fetching the access token': '另一个进程正在获取 access token',
  'Redis is out of reach: a token cannot be fetched by one alone': 'Redis 连接不上：不能单独获取 token',
  'Redis is out of reach: the secrets of the third-party platform are there':
    'Redis 连接不上：第三方平台的密钥在那里',
  'WeChat gives the component_access_token': '微信给出了 component_access_token',
  'the token service gives tokens': 'token 服务给出 token',
  'the token service answers; it gives {nobody}, which nobody has, no token':
    'token 服务有应答；它不给谁也没有的 {nobody} 发 token',
  'the token service gave {nobody}, which nobody has, no token: {cause}':
    'token 服务没有给谁也没有的 {nobody} 发 token：{cause}',
  'Check authorizerTokenUrl and authorizerTokenAuthorization, and that this machine reaches it.':
    '请检查 authorizerTokenUrl 和 authorizerTokenAuthorization，并确认本机连得上它。',
  'it has nothing to ask with': '没有可以用来获取的凭据',
  'there is no component_access_token': '没有 component_access_token',
  'Check apiBase, ACCOUNTS_KEY, and that this machine reaches WeChat (HTTPS_PROXY).':
    '请检查 apiBase、ACCOUNTS_KEY，并确认本机连得上微信（HTTPS_PROXY）。',
  'Switch callback signing on for the app at NXCloud, and NXCLOUD_VERIFY_CALLBACKS to auto, which asks for it after the first signed message, or require.':
    '请在牛信云为该应用开启回调签名，并把 NXCLOUD_VERIFY_CALLBACKS 设为 auto（第一条签名消息之后要求签名）或 require。',
  'Let NXCloud send message statuses to the same URL: they tell when an answer is out.':
    '请让牛信云把消息状态也推送到同一个 URL：由此得知回答何时发出。',
  'Let NXCloud send statuses to the webhook, or the bot call the gateway, or set BOT_QUEUE (see docs/recipes.md).':
    '请让牛信云把消息状态推送到 webhook，或让机器人调用 gateway，或设 BOT_QUEUE（见 docs/recipes.zh-CN.md）。',
  'Check NXCLOUD_API_BASE, and that this machine reaches it (HTTPS_PROXY).':
    '请检查 NXCLOUD_API_BASE，并确认本机连得上它（HTTPS_PROXY）。',
  'NXCloud gave no answer of its own ({cause})': '牛信云没有给出它自己的应答（{cause}）',
  'NXCloud accepts it, and knows the app and its number': '牛信云接受，并认识该应用和它的号码',
  'NXCloud accepts it; the number is not known before the first push':
    '牛信云接受；第一个推送之前还不知道号码',
  'not known: NXCloud answered {code}': '不得而知：牛信云应答 {code}',
  "Try again; if it stays, ask NXCloud's support about the code.":
    '请再试；如果仍然如此，请就这个错误码联系牛信云客服。',
  "{seconds} s behind NXCloud's": '比牛信云慢 {seconds} 秒',
  "{seconds} s ahead of NXCloud's": '比牛信云快 {seconds} 秒',
  "agrees with NXCloud's": '与牛信云一致',
};

const exact = new Map(Object.entries(chinese));
const templates = Object.entries(chinese)
  .filter(([english]) => english.includes('{'))
  // Of those that fit, the one that says most itself.
  .sort(([one], [other]) => own(other).length - own(one).length)
  .map(([english, said]) => ({ pattern: patternOf(english), said }));

function own(english = '') {
  return english.replace(/\{\w+\}/g, '');
}

/** A value is within a sentence. */
function patternOf(english = '') {
  const source = english.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{(\w+)\}/g, '(?<$1>(?:(?!\\. ).)+?)');
  return new RegExp(`^${source}$`, 's');
}

/** Each sentence in Chinese, and the values in it; what is not known stays as it is. */
export function inChinese(text = '') {
  const pieces = text.split(/(?<=[.;]) /);
  let said = '';
  for (let take = pieces.length; said === '' && take > 0; take -= 1) {
    said = known(pieces.slice(0, take).join(' '));
    const rest = pieces.slice(take).join(' ');
    if (said === '' && take === 1) said = rest === '' ? text : `${pieces[0]} `;
    if (said !== '' && rest !== '') said += inChinese(rest);
  }
  return said;
}

/** '': it is not. */
function known(text = '') {
  let said = exact.get(text) ?? '';
  // Faults stand in a row.
  if (said === '' && text.endsWith(';')) said = known(text.slice(0, -1)).replace(/$/, '；');
  for (let at = 0; said === '' && at < templates.length; at += 1) {
    const found = templates[at]?.pattern.exec(text);
    if (!found) continue;
    said = templates[at]?.said ?? '';
    for (const [name, value] of Object.entries(found.groups ?? {}))
      said = said.split(`{${name}}`).join(inChinese(value));
  }
  return said === '；' ? '' : said;
}
