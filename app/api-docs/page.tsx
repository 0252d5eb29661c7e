import type { Metadata } from 'next';
import { ApiPage } from '@/components/apidocs/ApiPage';
import { openApiDocument } from '@/lib/api/openapi';
import { service } from '@/lib/server';

export const dynamic = 'force-dynamic';
export const metadata: Metadata = { title: 'HTTP API · Statescope' };

export default function Page() {
  return <ApiPage document={openApiDocument(service().version)} />;
}
