export { ServiceError } from './errors';
export { eventStream } from './event-stream';
export { encodeNumbers } from './export/encode';
export { lensNumbers, mapNumbers, rolloutNumbers, signalNumbers } from './export/numbers';
export { readBody, readQuery, reply, replyBody, respond } from './http';
export { closeService, type Service, service } from './service';
