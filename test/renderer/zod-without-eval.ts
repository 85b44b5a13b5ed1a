/** To be imported before any schema: the window's content security policy forbids zod's compiled parsers. */
import { z } from 'zod';

z.config({ jitless: true });
