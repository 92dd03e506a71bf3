import { bytes, concat, text } from './client-hello.ts';

/** What a PostgreSQL client may begin with, byte by byte as the protocol's documentation has it. */
export const SSL_REQUEST = bytes(0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f);
export const GSSENC_REQUEST = bytes(0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30);
export const CANCEL_REQUEST = bytes(0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e, 0, 0, 0, 1, 0, 0, 0, 2);
export const STARTUP_MESSAGE = concat(bytes(0, 0, 0, 23, 0, 3, 0, 0), text('user\0postgres\0\0'));
