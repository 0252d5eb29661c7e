import { Computer } from '../compute/computer';
import type { Message } from '../protocol';
import { Reader } from '../readers/reader';
import type { Settings } from '../settings';

/** The computing thread and the one that reads text, both in this one. */
export class OneThread extends Computer {
  readonly reader: Reader;

  constructor(settings: Settings, send: (message: Message) => void = () => undefined) {
    const reader = new Reader(settings, undefined, () => undefined);
    super(settings, send, (model) => ({
      encodeWithin: async (text, most) => (await reader.answer('encodeWithin', { model, text, most })) ?? undefined,
      answer: (text) => reader.answer('answerTokens', { model, text }),
    }));
    this.reader = reader;
  }
}
