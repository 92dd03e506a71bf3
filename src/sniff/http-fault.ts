/** Why bytes are no HTTP/1.x request head that every parser reads alike: the closed list behind `reason`. */
export const REQUEST_HEAD_FAULTS = {
  'line-end':
    'a line feed without a carriage return before it, or a carriage return without a line feed behind it',
  'control-byte': 'a control character other than a tab inside a line',
  'request-line': 'the request line is not a method, a target and a version with single spaces between',
  method: 'the method is no token',
  target: 'the target is empty or holds a byte outside visible ASCII',
  version: 'the version is neither HTTP/1.0 nor HTTP/1.1',
  'header-fold': 'a header line begins with a space or a tab (obs-fold, RFC 9112 §5.2)',
  'header-name': 'a header line has no colon, or no token before it (a space before the colon included)',
} as const;

export type RequestHeadFault = keyof typeof REQUEST_HEAD_FAULTS;
