import { expect, it } from 'vitest';
import { homeFolder } from './home';

it('is what HOME says, else what the system knows, else the root of a container that does not know its user', () => {
  const unknown = () => {
    throw new Error('uv_os_homedir returned ENOENT');
  };
  expect(homeFolder({ HOME: '/me' }, unknown)).toBe('/me');
  expect(homeFolder({}, () => '/known')).toBe('/known');
  expect(homeFolder({ HOME: '' }, unknown)).toBe('/');
});
