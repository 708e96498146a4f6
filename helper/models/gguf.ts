import type { FileHandle } from 'node:fs/promises'
import { MeshError } from '../../mesh/base/index.ts'
import { createByteCursor, type ByteCursor, type ByteSource } from './byte-cursor.ts'
import { GGML_BLOCKS } from './ggml-types.ts'

/** Upper bounds of what a header may claim, with the attack each one ends. */
export const GGUF_LIMITS = {
  /** Whole header. The largest vocabularies known take about 20 MB. */
  headerBytes: 128 * 1024 * 1024,
  /** One string or key; longer ones were used to exhaust memory (CVE-2024-12055 and siblings). */
  stringBytes: 1024 * 1024,
  keyBytes: 65_535,
  metadataCount: 8_192,
  tensorCount: 65_536,
  tensorNameBytes: 256,
  /** Elements of one array. */
  arrayLength: 16 * 1024 * 1024,
  /** Arrays in arrays; unbounded nesting overflowed the stack of other readers. */
  arrayDepth: 3,
  dimensions: 4,
  alignment: 65_536,
} as const

/** What a header says about a model; every number in it was checked against the file. */
export interface GgufHeader {
  readonly version: 2 | 3
  readonly architecture: string
  /** `general.name`: text for people, never a path. Empty when there is none. */
  readonly name: string
  /** Context the model was trained for. */
  readonly contextTokens: number
  /** Sum of the elements of all tensors. */
  readonly parameters: number
  readonly fileSizeBytes: number
  readonly vocabularyTokens: number
  readonly layers: number
  /** Bytes of 16-bit key-value cache that one token of context takes. */
  readonly cacheBytesPerToken: number
  readonly chatTemplate?: string | undefined
}

/** Value types of GGUF metadata by their number; 9 is an array. */
const SCALAR_BYTES: ReadonlyMap<number, number> = new Map([
  [0, 1],
  [1, 1],
  [2, 2],
  [3, 2],
  [4, 4],
  [5, 4],
  [6, 4],
  [7, 1],
  [10, 8],
  [11, 8],
  [12, 8],
])
const TYPE_STRING = 8
const TYPE_ARRAY = 9
const MAGIC = 0x46554747

/** Longest numeric array that is kept: per-layer values. */
const KEPT_ARRAY_LENGTH = 4_096

type Kept = string | number | { readonly length: number; readonly numbers: readonly number[] }

interface TensorPlace {
  readonly name: string
  readonly offset: number
  readonly sizeBytes: number
}

/** Reads from an open file. The handle stays the caller's. */
export async function fileByteSource(handle: FileHandle): Promise<ByteSource> {
  const { size } = await handle.stat()
  return {
    sizeBytes: size,
    async read(position, length) {
      const buffer = new Uint8Array(length)
      let filled = 0
      while (filled < length) {
        const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return buffer.subarray(0, filled)
    },
  }
}

/**
 * Checks the header of a GGUF file before any engine sees it: counts, types,
 * sizes without overflow, every tensor inside the file, no name twice.
 * Source: the GGUF specification, versions 2 and 3, little-endian.
 * @throws MeshError `malformed`, `model-invalid`, `too-large`; `aborted` by the signal.
 */
export async function readGgufHeader(
  source: ByteSource,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<GgufHeader> {
  const cursor = createByteCursor(source, GGUF_LIMITS.headerBytes, options.signal)
  const { version, tensorCount, metadataCount } = await readPreamble(cursor)
  const metadata = await readMetadata(cursor, metadataCount)
  const alignment = readAlignment(metadata)
  const { tensors, parameters } = await readTensors(cursor, tensorCount, alignment)
  const dataStart = Math.ceil(cursor.position() / alignment) * alignment
  checkPlaces(tensors, source.sizeBytes - dataStart)
  return { version, parameters, fileSizeBytes: source.sizeBytes, ...describe(metadata) }
}

async function readPreamble(
  cursor: ByteCursor,
): Promise<{ version: 2 | 3; tensorCount: number; metadataCount: number }> {
  if ((await cursor.u32()) !== MAGIC) throw invalid('This is not a GGUF model file.')
  const version = await cursor.u32()
  if (version !== 2 && version !== 3) {
    throw invalid(`This GGUF file has version ${String(version)}; versions 2 and 3 (little-endian) are understood.`)
  }
  const tensorCount = await cursor.u64('number of tensors')
  const metadataCount = await cursor.u64('number of metadata entries')
  bound('tensors', tensorCount, GGUF_LIMITS.tensorCount)
  bound('metadata entries', metadataCount, GGUF_LIMITS.metadataCount)
  if (tensorCount === 0) throw invalid('The model file holds no tensors.')
  return { version, tensorCount, metadataCount }
}

async function readMetadata(cursor: ByteCursor, count: number): Promise<ReadonlyMap<string, Kept>> {
  const metadata = new Map<string, Kept>()
  for (let index = 0; index < count; index++) {
    const key = await readString(cursor, GGUF_LIMITS.keyBytes, 'key')
    // Two values for one key let a checker and an engine see different files.
    if (metadata.has(key)) throw invalid('The model file holds the same metadata key twice.')
    metadata.set(key, await readValue(cursor, await cursor.u32(), 0))
  }
  return metadata
}

async function readValue(cursor: ByteCursor, type: number, depth: number): Promise<Kept> {
  if (type === TYPE_STRING) return readString(cursor, GGUF_LIMITS.stringBytes, 'text')
  if (type === TYPE_ARRAY) return readArray(cursor, depth + 1)
  const width = SCALAR_BYTES.get(type)
  if (width === undefined) throw malformed(`The model file uses the unknown value type ${String(type)}.`)
  return scalar(await cursor.view(width), type)
}

async function readArray(cursor: ByteCursor, depth: number): Promise<Kept> {
  if (depth > GGUF_LIMITS.arrayDepth)
    throw tooLarge('The model file nests arrays too deeply.', GGUF_LIMITS.arrayDepth, depth)
  const type = await cursor.u32()
  const length = await cursor.u64('array length')
  bound('array elements', length, GGUF_LIMITS.arrayLength)
  const width = SCALAR_BYTES.get(type)
  if (width !== undefined) return readScalars(cursor, type, width, length)
  if (type !== TYPE_STRING && type !== TYPE_ARRAY)
    throw malformed(`The model file uses the unknown value type ${String(type)}.`)
  for (let index = 0; index < length; index++) {
    if (type === TYPE_STRING) await skipString(cursor)
    else await readArray(cursor, depth + 1)
  }
  return { length, numbers: [] }
}

async function readScalars(cursor: ByteCursor, type: number, width: number, length: number): Promise<Kept> {
  if (length > KEPT_ARRAY_LENGTH) {
    await cursor.skip(width * length)
    return { length, numbers: [] }
  }
  const numbers: number[] = []
  for (let index = 0; index < length; index++) numbers.push(scalar(await cursor.view(width), type))
  return { length, numbers }
}

function scalar(view: DataView, type: number): number {
  switch (type) {
    case 0:
    case 7:
      return view.getUint8(0)
    case 1:
      return view.getInt8(0)
    case 2:
      return view.getUint16(0, true)
    case 3:
      return view.getInt16(0, true)
    case 4:
      return view.getUint32(0, true)
    case 5:
      return view.getInt32(0, true)
    case 6:
      return view.getFloat32(0, true)
    case 10:
      return Number(view.getBigUint64(0, true))
    case 11:
      return Number(view.getBigInt64(0, true))
    default:
      return view.getFloat64(0, true)
  }
}

async function readString(cursor: ByteCursor, limit: number, what: string): Promise<string> {
  const length = await cursor.u64(`length of a ${what}`)
  bound(`bytes of a ${what}`, length, limit)
  return new TextDecoder().decode(await cursor.bytes(length))
}

async function skipString(cursor: ByteCursor): Promise<void> {
  const length = await cursor.u64('length of a text')
  bound('bytes of a text', length, GGUF_LIMITS.stringBytes)
  await cursor.skip(length)
}

function readAlignment(metadata: ReadonlyMap<string, Kept>): number {
  const alignment = metadata.get('general.alignment') ?? 32
  if (
    typeof alignment !== 'number' ||
    !Number.isInteger(alignment) ||
    alignment < 1 ||
    alignment > GGUF_LIMITS.alignment
  ) {
    throw invalid('The model file names an impossible alignment.')
  }
  if ((alignment & (alignment - 1)) !== 0) throw invalid('The alignment of the model file is not a power of two.')
  return alignment
}

async function readTensors(
  cursor: ByteCursor,
  count: number,
  alignment: number,
): Promise<{ tensors: TensorPlace[]; parameters: number }> {
  const tensors: TensorPlace[] = []
  const names = new Set<string>()
  let parameters = 0
  for (let index = 0; index < count; index++) {
    const name = await readString(cursor, GGUF_LIMITS.tensorNameBytes, 'tensor name')
    if (names.has(name)) throw invalid('The model file holds two tensors of the same name.')
    names.add(name)
    const { elements, firstDimension } = await readDimensions(cursor)
    const block = GGML_BLOCKS.get(await cursor.u32())
    if (block === undefined) throw invalid('The model file holds a tensor of an unknown type.')
    if (firstDimension % block.elements !== 0)
      throw invalid('The rows of a tensor in the model file do not fill whole blocks.')
    const offset = await cursor.u64('tensor offset')
    if (offset % alignment !== 0) throw invalid('A tensor in the model file does not lie on the alignment it names.')
    tensors.push({ name, offset, sizeBytes: multiply(elements / block.elements, block.bytes) })
    parameters = add(parameters, elements)
  }
  return { tensors, parameters }
}

async function readDimensions(cursor: ByteCursor): Promise<{ elements: number; firstDimension: number }> {
  const dimensions = await cursor.u32()
  if (dimensions < 1 || dimensions > GGUF_LIMITS.dimensions)
    throw invalid('A tensor in the model file has an impossible number of dimensions.')
  let elements = 1
  let firstDimension = 0
  for (let index = 0; index < dimensions; index++) {
    const size = await cursor.u64('tensor dimension')
    if (size === 0) throw invalid('A tensor in the model file has an empty dimension.')
    if (index === 0) firstDimension = size
    elements = multiply(elements, size)
  }
  return { elements, firstDimension }
}

/** A tensor that reaches past the file, or into another, reads memory that is not its own (CVE-2026-7482). */
function checkPlaces(tensors: readonly TensorPlace[], dataBytes: number): void {
  let previousEnd = 0
  for (const tensor of [...tensors].sort((a, b) => a.offset - b.offset)) {
    const end = add(tensor.offset, tensor.sizeBytes)
    if (end > dataBytes) {
      throw invalid(
        'The model file is shorter than its header says: a tensor reaches past the end. It is damaged or not complete.',
      )
    }
    if (tensor.offset < previousEnd) throw invalid('Two tensors in the model file overlap.')
    previousEnd = end
  }
}

type Description = Omit<GgufHeader, 'version' | 'parameters' | 'fileSizeBytes'>

function describe(metadata: ReadonlyMap<string, Kept>): Description {
  const architecture = metadata.get('general.architecture')
  if (typeof architecture !== 'string' || !/^[a-z0-9_.-]{1,64}$/.test(architecture)) {
    throw invalid('The model file does not name its architecture.')
  }
  const splits = metadata.get('split.count')
  if (typeof splits === 'number' && splits > 1) {
    throw invalid('This file is one part of a model that was split; join the parts to one file first.')
  }
  const name = metadata.get('general.name')
  const template = metadata.get('tokenizer.chat_template')
  const layers = whole(metadata, `${architecture}.block_count`, 1, 4_096)
  return {
    architecture,
    name: typeof name === 'string' ? name.slice(0, 200) : '',
    contextTokens: whole(metadata, `${architecture}.context_length`, 1, 0x7fffffff),
    vocabularyTokens: checkVocabulary(metadata),
    layers,
    cacheBytesPerToken: cacheBytes(metadata, architecture, layers),
    ...(typeof template === 'string' && template !== '' ? { chatTemplate: template } : {}),
  }
}

/** Lists of different lengths and ids past the end read memory that is not the vocabulary's (CVE-2025-49847). */
function checkVocabulary(metadata: ReadonlyMap<string, Kept>): number {
  const tokens = metadata.get('tokenizer.ggml.tokens')
  if (tokens === undefined) return 0
  if (typeof tokens !== 'object' || tokens.length === 0)
    throw invalid('The vocabulary of the model file is not a list.')
  for (const key of ['tokenizer.ggml.scores', 'tokenizer.ggml.token_type']) {
    const list = metadata.get(key)
    if (list !== undefined && (typeof list !== 'object' || list.length !== tokens.length)) {
      throw invalid('The lists of the vocabulary in the model file differ in length.')
    }
  }
  for (const [key, value] of metadata) {
    if (!/^tokenizer\.ggml\.[a-z_]+_token_id$/.test(key)) continue
    // 0xffffffff is written for "none" by some converters
    if (
      typeof value !== 'number' ||
      !Number.isInteger(value) ||
      (value !== 0xffffffff && (value < -1 || value >= tokens.length))
    ) {
      throw invalid('The model file names a special token outside its vocabulary.')
    }
  }
  return tokens.length
}

function cacheBytes(metadata: ReadonlyMap<string, Kept>, architecture: string, layers: number): number {
  const embedding = whole(metadata, `${architecture}.embedding_length`, 1, 1_048_576)
  const heads = perLayer(metadata, `${architecture}.attention.head_count`, layers)
  // Architectures without attention keep a fixed state instead.
  if (heads === undefined) return 0
  const kvHeads = perLayer(metadata, `${architecture}.attention.head_count_kv`, layers) ?? heads
  const widest = Math.max(1, ...heads)
  const keyWidth = optionalWhole(metadata, `${architecture}.attention.key_length`) ?? embedding / widest
  const valueWidth = optionalWhole(metadata, `${architecture}.attention.value_length`) ?? embedding / widest
  const sum = kvHeads.reduce((total, count) => total + count, 0)
  return Math.ceil(sum * (keyWidth + valueWidth) * 2)
}

function perLayer(metadata: ReadonlyMap<string, Kept>, key: string, layers: number): readonly number[] | undefined {
  const value = metadata.get(key)
  if (value === undefined) return undefined
  const list =
    typeof value === 'number' ? new Array<number>(layers).fill(value) : typeof value === 'object' ? value.numbers : []
  if (list.length < layers || list.some((count) => !Number.isInteger(count) || count < 0 || count > 65_536)) {
    throw invalid(`The model file gives an impossible value for ${key}.`)
  }
  return list.slice(0, layers)
}

function whole(metadata: ReadonlyMap<string, Kept>, key: string, least: number, most: number): number {
  const value = metadata.get(key)
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
    throw invalid(`The model file gives no usable value for ${key}.`)
  }
  return value
}

function optionalWhole(metadata: ReadonlyMap<string, Kept>, key: string): number | undefined {
  return metadata.has(key) ? whole(metadata, key, 1, 1_048_576) : undefined
}

function bound(what: string, got: number, max: number): void {
  if (got > max)
    throw tooLarge(`The model file claims ${String(got)} ${what}; at most ${String(max)} are read.`, max, got)
}

function multiply(a: number, b: number): number {
  const product = a * b
  if (!Number.isSafeInteger(product))
    throw tooLarge('The model file claims a tensor of impossible size.', Number.MAX_SAFE_INTEGER, a)
  return product
}

function add(a: number, b: number): number {
  const sum = a + b
  if (!Number.isSafeInteger(sum))
    throw tooLarge('The model file claims tensors of impossible size.', Number.MAX_SAFE_INTEGER, a)
  return sum
}

function invalid(sentence: string): MeshError {
  return new MeshError('model-invalid', sentence)
}

function malformed(sentence: string): MeshError {
  return new MeshError('malformed', sentence)
}

function tooLarge(sentence: string, max: number, got: number): MeshError {
  return new MeshError('too-large', sentence, { detail: { max, got } })
}
