import type { ReactNode } from 'react';

/** What a figure's numbers say, in plain words; how they are defined opens below, and is open in what is exported. */
export const Convention = ({ plain, children }: { plain: ReactNode; children: ReactNode }) => (
  <div className="convention">
    <p>{plain}</p>
    <details>
      <summary>How it is defined</summary>
      <p>{children}</p>
    </details>
  </div>
);
