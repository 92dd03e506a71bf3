import { changeHosts } from '../change-hosts.ts';

export const allow = changeHosts('allow');
