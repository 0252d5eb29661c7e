import { createClient } from '@/lib/api/client';

/** The one client of the page: its own origin. */
export const client = createClient();
