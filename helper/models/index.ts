/**
 * The models of this device: how they come here, are checked, kept and named.
 * Promises that no engine sees a file whose hash or header was not checked, and
 * that no path is made from a name. Knows nothing of engines or of the mesh.
 */
export { CATALOG, findOffer, FIRST_MODEL, FIRST_MODEL_FROM_HUB } from './catalog.ts'
export { diskError, systemCode, type Disk } from './disk.ts'
export { fileByteSource, GGUF_LIMITS, readGgufHeader, type GgufHeader } from './gguf.ts'
export { type ByteSource } from './byte-cursor.ts'
export { createModelLibrary, type ModelLibrary, type ModelLibraryOptions, type OpenedModel } from './library.ts'
export { type HuggingFaceSpec, type ModelOffer, type PythonPackageSpec, type SourceSpec } from './offer.ts'
export { createModelSources, type HuggingFaceOptions, type ModelSources, type PipCommand } from './sources/index.ts'
