import '@fontsource-variable/inter/index.css';
import '@fontsource/ibm-plex-mono/400.css';
import '@fontsource/ibm-plex-mono/500.css';
import '@fontsource/ibm-plex-mono/600.css';
import './globals.css';
import '@/components/styles/controls.css';
import '@/components/styles/bar.css';
import '@/components/styles/prompt.css';
import '@/components/styles/figures.css';
import '@/components/styles/allocation.css';
import '@/components/styles/causal.css';
import '@/components/styles/runs.css';
import '@/components/styles/training.css';
import type { Metadata, Viewport } from 'next';
import { NuqsAdapter } from 'nuqs/adapters/next/app';
import { type ReactNode, Suspense } from 'react';
import { Providers } from '@/components/Providers';
import { THEME_SCRIPT } from '@/components/state/theme-script';

export const metadata: Metadata = {
  title: 'Statescope',
  description: 'What earlier tokens each layer of a Mamba or Diff-Mamba model reads, and how early the answer shows.',
};

export const viewport: Viewport = { width: 'device-width', initialScale: 1 };

export default function RootLayout({ children }: { children: ReactNode }) {
  return (
    <html lang="en" suppressHydrationWarning>
      <head>
        {/* biome-ignore lint/security/noDangerouslySetInnerHtml: a constant of ours; it must run before the first paint. */}
        <script dangerouslySetInnerHTML={{ __html: THEME_SCRIPT }} />
      </head>
      <body>
        <NuqsAdapter>
          <Providers>
            <Suspense>{children}</Suspense>
          </Providers>
        </NuqsAdapter>
      </body>
    </html>
  );
}
