/** More layers of encoding than anybody writes by accident. */
const layers = 4;

/**
 * Why a path might lead elsewhere than below the API's base, in one sentence; null when it cannot. It travels on as it
 * came, so whatever any server on its way may make of it counts: each layer of percent-encoding, `\` for `/`,
 * `..;` for `..`. https://www.rfc-editor.org/rfc/rfc3986#section-5.2.4
 */
export function pathFault(path: string): string | null {
  if (!isWellFormed(path)) return 'The path holds a malformed percent-encoding: write UTF-8 as %XX.';
  let text = path;
  for (let layer = 0; layer <= layers; layer += 1) {
    const fault = faultOf(text);
    if (fault !== null) return fault;
    const decoded = decodeOnce(text);
    if (decoded === text) return null;
    text = decoded;
  }
  return 'The path is percent-encoded many times over: encode it once.';
}

function faultOf(text: string): string | null {
  if (text.includes('\\')) return 'The path holds a backslash: write / instead.';
  if (/[^ -~\u0080-\uffff]/.test(text)) return 'The path holds a control character: leave it out.';
  if (/(?:^|\/)\.{1,2}(?:;[^/]*)?(?:\/|$)/.test(text))
    return 'The path holds a segment "." or "..": write the whole path.';
  return null;
}

/** Not malformed, and UTF-8: longer spellings of a dot are none. */
function isWellFormed(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

/** Byte by byte: what cannot be decoded stays, and hides nothing beside it. */
function decodeOnce(text: string): string {
  return text.replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
