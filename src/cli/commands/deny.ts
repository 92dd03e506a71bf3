import { changeHosts } from '../change-hosts.ts';

export const deny = changeHosts('deny');
