export { type ClientHelloResult, type ClientHelloResume, parseClientHello } from './client-hello.ts';
export { ClientHelloWatcher, type ClientViolation, type WatchedBytes } from './client-hello-watcher.ts';
export { CLIENT_HELLO_FAULTS, type ClientHelloFault } from './fault.ts';
export type { ClientHello } from './hello-body.ts';
export { HOSTNAME_FAULTS, type HostnameFault, hostnameFault, sameHostname } from './hostname.ts';
export { ServerHelloWatcher, type ServerOpening } from './server-hello-watcher.ts';
