import { MeshError } from '../../mesh/base/index.ts'
import type { MeshArchives } from '../../mesh/archive-types.ts'

/** A mesh that exports and imports nothing. */
export const NO_ARCHIVES: MeshArchives = {
  exportAll() {
    throw new MeshError('unsupported', 'A fake mesh does not do this.')
  },
  inspectArchive: () => Promise.reject(new MeshError('unsupported', 'A fake mesh does not do this.')),
  importAll: () => Promise.reject(new MeshError('unsupported', 'A fake mesh does not do this.')),
}
