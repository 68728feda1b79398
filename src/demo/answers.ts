/** What the demo's bot says, in the language in which it is asked. */

interface Topic {
  asked: RegExp;
  answer: string;
}

const topics: readonly Topic[] = [
  {
    asked: /深圳/,
    answer:
      '深圳在广东省南部，紧邻香港，1980 年成为经济特区，如今有一千七百多万人口。看海去大鹏，登高去莲花山。要我排一个两天的行程吗？',
  },
  {
    asked: /shenzhen/i,
    answer:
      'Shenzhen lies next to Hong Kong and has more than 17 million people. For the sea go to Dapeng, for a view to Lianhuashan Park. Shall I plan two days for you?',
  },
  {
    asked: /快递|包裹|订单/,
    answer: '查到了：您的包裹今天 8:40 离开东莞分拨中心，预计明天 18:00 前送达。要我在派送前提醒您吗？',
  },
  {
    asked: /parcel|order|package/i,
    answer:
      'Found it: your parcel left the sorting centre at 8:40 this morning and should be with you tomorrow by 6 pm. Shall I tell you when it is out for delivery?',
  },
  {
    asked: /博物馆/,
    answer:
      '周一多数博物馆闭馆，开门的有两家：海事博物馆（10:00–18:00）和设计博物馆（11:00–20:00）。要预约吗？',
  },
  {
    asked: /museum/i,
    answer:
      'Most museums close on Mondays. Two are open: the Maritime Museum (10 am to 6 pm) and the Design Museum (11 am to 8 pm). Shall I book tickets?',
  },
  {
    asked: /天气|下雨/,
    answer: '明天上午多云，14 点后有阵雨，22 到 27 度。出门带把伞，傍晚回家更稳妥。',
  },
  {
    asked: /rain|weather/i,
    answer:
      'Cloudy in the morning, showers from about 2 pm, 22 to 27 °C. Take an umbrella if you are out in the afternoon.',
  },
];

export function answerTo(text: string): string {
  const topic = topics.find(({ asked }) => asked.test(text));
  if (topic !== undefined) return topic.answer;
  return /\p{Script=Han}/u.test(text)
    ? `关于“${text}”：我只是演示用的机器人，想了这么久也没有更多可说的。换成您的机器人，这里就是它的回答。`
    : `About “${text}”: I am only the demo’s bot and know no more, however long I think. Your own bot’s answer would stand here.`;
}
