import type { ServerResponse } from 'node:http';

const NOBODY = "frame-ancestors 'none'";

/**
 * Lets pages of some origins show an answer in a frame. The pages' headers are fixed when they are built, and say that nobody
 * may: what they say is changed when they are sent.
 */
export function framed(response: ServerResponse, origins: readonly string[]): void {
  const writeHead = response.writeHead.bind(response) as (...args: unknown[]) => ServerResponse;
  response.writeHead = ((...args: unknown[]) => {
    const policy = response.getHeader('content-security-policy');
    if (typeof policy === 'string' && policy.includes(NOBODY)) {
      response.setHeader('content-security-policy', policy.replace(NOBODY, `frame-ancestors ${origins.join(' ')}`));
      response.removeHeader('x-frame-options');
    }
    return writeHead(...args);
  }) as typeof response.writeHead;
}
