/**
 * The tests that WeChat runs before a third-party platform may be released (全网发布检测): it expects the bot's own
 * answers at once, and its own calls.
 * https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/operation/thirdparty/releases_instructions.html
 */
import { textOf, type Fields } from './body.ts';

/** The accounts that WeChat writes to in its own name. */
const testAccounts: ReadonlySet<string> = new Set([
  'wx570bc396a51b8ff8',
  'wx9252c5e0bb1836fc',
  'wx8e1097c5bc82cde9',
  'wx14550af28c71a144',
  'wxa35b9c23cfe664eb',
  'wxd101a85aa106f53e',
  'wxc39235c15087f6f3',
  'wx7720d01d4b2a4500',
  'wx05d483572dcd5d8b',
  'wx5910277cae6fd970',
]);

/** @param appId whom the push is for */
export function isReleaseTest(fields: Fields, appId: string): boolean {
  const content = textOf(fields, 'Content') ?? '';
  return (
    testAccounts.has(appId) ||
    content === 'TESTCOMPONENT_MSG_TYPE_TEXT' ||
    content.startsWith('QUERY_AUTH_CODE:')
  );
}
