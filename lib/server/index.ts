export { ServiceError } from './errors';
export { eventStream } from './event-stream';
export { readBody, readQuery, reply, replyBody, respond } from './http';
export { closeService, type Service, service } from './service';
