'use client';
import { type ReactNode, Suspense, useEffect, useState } from 'react';

/** How far below the screen a section is when it begins to load. */
const AHEAD = '600px 0px';

/** Loads and asks for what is below the screen only when it is about to be seen; from then on it stays. */
export function WhenNear({ height, children }: { height: number; children: ReactNode }) {
  const [place, setPlace] = useState<HTMLElement | null>(null);
  const [near, setNear] = useState(false);
  useEffect(() => {
    if (!place) return;
    const observer = new IntersectionObserver(([entry]) => entry.isIntersecting && setNear(true), {
      rootMargin: AHEAD,
    });
    observer.observe(place);
    return () => observer.disconnect();
  }, [place]);
  const room = <div ref={setPlace} style={{ minHeight: height }} />;
  return near ? <Suspense fallback={room}>{children}</Suspense> : room;
}
