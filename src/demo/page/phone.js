/** One phone: its messages, and whether it shows that the other one types. */
import { word } from './words.js';

/** As WeChat's own header says it, whatever the phone's language. */
const typingOnWechat = '对方正在输入…';

export function createPhone(section, onWrite) {
  const part = (name) => section.querySelector(`[data-part="${name}"]`);
  const phone = {
    section,
    channel: section.dataset.channel,
    log: part('log'),
    scroll: section.querySelector('.scroll'),
    indicator: part('indicator'),
    lit: false,
  };
  part('form').addEventListener('submit', (event) => {
    event.preventDefault();
    const input = event.target.elements.namedItem('text');
    const text = input.value.trim();
    if (text !== '') onWrite(phone.channel, text, () => (input.value = ''));
  });
  showIndicator(phone);
  return phone;
}

/** In the page's language, after a change of it too. */
export function showIndicator(phone) {
  const { section, indicator, channel, lit } = phone;
  section.dataset.lit = String(lit);
  if (channel === 'wechat') indicator.textContent = lit ? typingOnWechat : word('bot');
  else indicator.textContent = lit ? word('typing') : word('online');
  indicator.lang = channel === 'wechat' && lit ? 'zh-CN' : '';
}

export function clearPhone(phone) {
  phone.lit = false;
  phone.log.replaceChildren();
  showIndicator(phone);
}

/** A mark of this phone, as its user sees it. */
export function showMark(phone, { what, detail }) {
  if (what === 'typing-on' || what === 'typing-off') {
    phone.lit = what === 'typing-on';
    showIndicator(phone);
  }
  if (what === 'sent') addMessage(phone, 'mine', detail);
  if (what === 'received') addMessage(phone, 'theirs', detail);
  if (what === 'notice') addMessage(phone, 'notice', word('noticeOnPhone'));
  if (what === 'read') for (const item of phone.log.querySelectorAll('.mine')) item.classList.add('read');
}

function addMessage({ log, scroll }, kind, text) {
  const item = document.createElement('li');
  const bubble = document.createElement('span');
  item.className = kind;
  bubble.className = 'bubble';
  bubble.textContent = text;
  item.append(bubble);
  log.append(item);
  scroll.scrollTop = scroll.scrollHeight;
}
