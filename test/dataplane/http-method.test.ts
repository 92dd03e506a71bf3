import { METHODS } from 'node:http';
import { expect, it } from 'vitest';
import { mayBeRequest } from '../../src/dataplane/http-method.ts';
import { text } from '../support/client-hello.ts';

it.each(METHODS)('every beginning of a %s request may be one', method => {
  const line = text(`${method} / HTTP/1.1\r\n`);
  for (let length = 1; length <= line.length; length++) {
    expect(mayBeRequest(line.subarray(0, length)), `${length} bytes`).toBe(true);
  }
});

it.each(['x', 'xxxx', 'GETTING ', 'GET/', 'get / ', 'SSH-2.0-x', 'AUTH secret', ' GET ', 'PING\r\n'])(
  '%j is none',
  opening => {
    expect(mayBeRequest(text(opening))).toBe(false);
  },
);
