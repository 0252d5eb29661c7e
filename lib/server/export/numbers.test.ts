import { expect, it } from 'vitest';
import { UNITS } from './numbers';

it('ranks count from 0, as the values do', () => expect(UNITS.target_rank).toBe('rank, 0 is the top'));
