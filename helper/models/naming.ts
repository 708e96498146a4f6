import { basename, resolve } from 'node:path'
import { findOffer } from './catalog.ts'
import type { ModelOffer, SourceSpec } from './offer.ts'

/** What a person typed: an id of the catalogue, a file of the hub, or a path. */
export function readSpec(text: string): ModelOffer | undefined {
  const offer = findOffer(text)
  if (offer !== undefined) return offer
  const [, owner, name, file] = /^hf:([^/\s]+)\/([^/\s]+)\/(\S+\.gguf)$/.exec(text) ?? []
  if (owner !== undefined && name !== undefined && file !== undefined) {
    return typedOffer(basename(file), { source: 'hugging-face', repository: `${owner}/${name}`, file })
  }
  return text.toLowerCase().endsWith('.gguf')
    ? typedOffer(basename(text), { source: 'file', path: resolve(text) })
    : undefined
}

function typedOffer(fileName: string, source: SourceSpec): ModelOffer {
  const title = fileName.replace(/\.gguf$/i, '')
  return { id: idFromName(title), title, licence: '', memoryBytes: 0, sources: [source] }
}

/** A name as an id: lower case, and nothing that means something in a path or an address. */
export function idFromName(name: string): string {
  const id = name
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
    .slice(0, 96)
  return id === '' ? 'model' : id
}

/** The wanted id, or the same with the first free number behind it. */
export function freeId(wanted: string, isTaken: (id: string) => boolean): string {
  for (let number = 1; ; number++) {
    const id = number === 1 ? wanted : `${wanted}-${String(number)}`
    if (!isTaken(id)) return id
  }
}
