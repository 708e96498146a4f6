import * as z from 'zod/mini'
import type { DocumentId, ScopeId } from '../base/index.ts'
import { text } from '../wire/index.ts'

const documentId = text(64).check(z.regex(/^[a-z0-9-]+$/)) as unknown as z.ZodMiniType<DocumentId>
const scopeId = text(128).check(z.regex(/^[a-z0-9-]+(?::[a-z0-9-]+)?$/)) as unknown as z.ZodMiniType<ScopeId>

/** What identifies a document, from outside or from the disk. */
export const documentName = z.object({
  id: documentId,
  kind: z.enum(['operations', 'settings']),
  scope: scopeId,
})
