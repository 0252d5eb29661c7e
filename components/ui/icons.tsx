import type { ReactNode } from 'react';

const Icon = ({ children }: { children: ReactNode }) => (
  <svg
    width="16"
    height="16"
    viewBox="0 0 16 16"
    fill="none"
    stroke="currentColor"
    strokeWidth="1.3"
    aria-hidden="true"
  >
    {children}
  </svg>
);

export const SwapIcon = () => (
  <Icon>
    <path d="M2 5.5h11M10 2.5l3 3-3 3M14 10.5H3M6 7.5l-3 3 3 3" />
  </Icon>
);

export const LinkIcon = () => (
  <Icon>
    <path d="M6.5 9.5l3-3M7 4.8l1.3-1.3a2.9 2.9 0 014.1 4.1L11 9M9 11.2l-1.3 1.3a2.9 2.9 0 01-4.1-4.1L5 7" />
  </Icon>
);

export const ThemeIcon = () => (
  <Icon>
    <circle cx="8" cy="8" r="5.5" />
    <path d="M8 2.5a5.5 5.5 0 010 11z" fill="currentColor" />
  </Icon>
);

export const HelpIcon = () => (
  <Icon>
    <circle cx="8" cy="8" r="6" />
    <path d="M6.2 6.4a1.8 1.8 0 113 1.4c-.8.6-1.2.8-1.2 1.7M8 11.2v.9" />
  </Icon>
);
