/** How an address or a block is written. */
export const CIDR_FIX = 'write an address or a block such as 10.12.4.0/24';
