export { ServiceError } from './errors';
export { eventStream } from './event-stream';
export { encodeNumbers } from './export/encode';
export { readBody, readQuery, reply, replyBody, respond } from './http';
export { answerReading, exported } from './readings';
export { closeService, type Service, service } from './service';
