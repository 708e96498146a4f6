import { writeFile } from 'node:fs/promises'

/**
 * Makes tiny llama-architecture GGUF files that llama.cpp really loads: random
 * weights from a seed, or weights that make the model say a chosen text. Tests
 * generate them and never store them.
 */
export interface TinyGgufOptions {
  readonly seed?: number
  readonly contextTokens?: number
  readonly layers?: number
  /** Width of the model; a multiple of `heads` * 2. Ignored with `says`, which needs one place per token. */
  readonly width?: number
  readonly heads?: number
  readonly weights?: 'f32' | 'f16'
  readonly name?: string
  /** Jinja; `null` writes none. */
  readonly chatTemplate?: string | null
  /**
   * The greedy continuation of anything: these characters one after another,
   * then from the start again. No character (nor byte of one outside ASCII) may
   * occur twice, because the next token depends on the last one only.
   */
  readonly says?: string
  /** More tokens at the end of the vocabulary: their text and type (4: the user's own). */
  readonly more?: readonly { readonly text: string; readonly type: number }[]
  /** The type of `<|im_start|>` and `<|im_end|>`; default 3, control. */
  readonly markType?: number
  /** With `says`: the model ends after the text instead of repeating it. */
  readonly ends?: boolean
}

/** ChatML, the template most small models carry. */
export const CHATML =
  "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"

const ROPE_WIDTH_LEAST = 2
const TYPE_NORMAL = 1
const TYPE_UNKNOWN = 2
const TYPE_CONTROL = 3
const TYPE_BYTE = 6

/** Token numbers of the vocabulary of every tiny model. */
export const TINY = { unknown: 0, begin: 1, end: 2, turnStart: 3, turnEnd: 4, firstByte: 5, firstChar: 261 } as const

interface Vocabulary {
  readonly texts: readonly string[]
  readonly types: readonly number[]
}

function vocabulary({ more = [], markType = TYPE_CONTROL }: TinyGgufOptions): Vocabulary {
  const texts = ['<unk>', '<s>', '</s>', '<|im_start|>', '<|im_end|>']
  const types = [TYPE_UNKNOWN, TYPE_CONTROL, TYPE_CONTROL, markType, markType]
  for (let byte = 0; byte < 256; byte++) {
    texts.push(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)
    types.push(TYPE_BYTE)
  }
  for (let code = 0x20; code < 0x7f; code++) {
    texts.push(code === 0x20 ? '\u2581' : String.fromCharCode(code))
    types.push(TYPE_NORMAL)
  }
  for (const { text, type } of more) {
    // files hold the spaces of a user's own tokens as they are
    texts.push(type === TYPE_NORMAL ? text.replaceAll(' ', '\u2581') : text)
    types.push(type)
  }
  return { texts, types }
}

/** The tokens a text of the tiny models becomes: one for each ASCII character, one for each byte of others. */
export function tinyTokens(text: string): number[] {
  return [...new TextEncoder().encode(text)].map((byte) =>
    byte >= 0x20 && byte < 0x7f ? TINY.firstChar + byte - 0x20 : TINY.firstByte + byte,
  )
}

/** Numbers from a seed, normally distributed enough for weights. */
function noise(seed: number): () => number {
  let state = seed >>> 0 || 1
  const uniform = (): number => {
    // xorshift32: tiny, and the same everywhere
    state ^= state << 13
    state >>>= 0
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state / 0xffffffff
  }
  return () => uniform() + uniform() + uniform() - 1.5
}

type Tensor = { readonly name: string; readonly dimensions: readonly number[]; readonly values: Float32Array }

/** The bytes of a whole model file, the same for the same options. */
export function tinyGguf(options: TinyGgufOptions = {}): Uint8Array {
  const words = vocabulary(options)
  const heads = options.heads ?? 4
  const step = heads * ROPE_WIDTH_LEAST
  const width = options.says === undefined ? (options.width ?? 64) : Math.ceil(words.texts.length / step) * step
  const layers = options.layers ?? 2
  const shape: Shape = { width, layers, heads, feedForward: width * 2, tokens: words.texts.length }
  const tensors = makeTensors(shape, options)
  const head: MetadataEntry[] = [
    ['general.architecture', 'string', 'llama'],
    ['general.name', 'string', options.name ?? 'Tiny'],
    ['llama.context_length', 'u32', options.contextTokens ?? 512],
    ['llama.embedding_length', 'u32', width],
    ['llama.block_count', 'u32', layers],
    ['llama.feed_forward_length', 'u32', shape.feedForward],
    ['llama.attention.head_count', 'u32', heads],
    ['llama.attention.head_count_kv', 'u32', heads],
    ['llama.attention.layer_norm_rms_epsilon', 'f32', 1e-5],
    ['llama.rope.dimension_count', 'u32', width / heads],
    ['llama.vocab_size', 'u32', words.texts.length],
    ['tokenizer.ggml.model', 'string', 'llama'],
    ['tokenizer.ggml.tokens', 'strings', words.texts],
    ['tokenizer.ggml.scores', 'f32s', words.texts.map((_, index) => -index)],
    ['tokenizer.ggml.token_type', 'i32s', words.types],
    ['tokenizer.ggml.unknown_token_id', 'u32', TINY.unknown],
    ['tokenizer.ggml.bos_token_id', 'u32', TINY.begin],
    ['tokenizer.ggml.eos_token_id', 'u32', TINY.turnEnd],
    ['tokenizer.ggml.add_bos_token', 'bool', 0],
    ['tokenizer.ggml.add_eos_token', 'bool', 0],
    ['tokenizer.ggml.add_space_prefix', 'bool', 0],
  ]
  const template = options.chatTemplate === undefined ? CHATML : options.chatTemplate
  const metadata: MetadataEntry[] =
    template === null ? head : [...head, ['tokenizer.chat_template', 'string', template]]
  return writeGguf(metadata, tensors, options.weights ?? 'f32')
}

/** {@link tinyGguf} written to `file`. */
export async function writeTinyGguf(file: string, options: TinyGgufOptions = {}): Promise<void> {
  await writeFile(file, tinyGguf(options))
}

interface Shape {
  readonly width: number
  readonly layers: number
  readonly heads: number
  readonly feedForward: number
  readonly tokens: number
}

function makeTensors(shape: Shape, options: TinyGgufOptions): Tensor[] {
  const next = noise(options.seed ?? 1)
  const random = (name: string, columns: number, rows: number, scale: number): Tensor => ({
    name,
    dimensions: [columns, rows],
    values: Float32Array.from({ length: columns * rows }, () => next() * scale),
  })
  const ones = (name: string): Tensor => ({
    name,
    dimensions: [shape.width],
    values: new Float32Array(shape.width).fill(1),
  })
  const scripted = options.says !== undefined
  const inner = 1 / Math.sqrt(shape.width)
  // With a script the layers still cost their time, but add nothing to what they are given.
  const outward = scripted ? 0 : inner
  const tensors: Tensor[] = [
    scripted ? identity(shape) : random('token_embd.weight', shape.width, shape.tokens, 1),
    ones('output_norm.weight'),
    scripted ? successors(shape, options) : random('output.weight', shape.width, shape.tokens, 0.5),
  ]
  // A random model never ends by itself: the tokens that would end it are never the likeliest.
  if (!scripted) silence(tensors[2], shape)
  for (let layer = 0; layer < shape.layers; layer++) {
    const name = (part: string): string => `blk.${String(layer)}.${part}.weight`
    tensors.push(
      ones(name('attn_norm')),
      random(name('attn_q'), shape.width, shape.width, inner),
      random(name('attn_k'), shape.width, shape.width, inner),
      random(name('attn_v'), shape.width, shape.width, inner),
      random(name('attn_output'), shape.width, shape.width, outward),
      ones(name('ffn_norm')),
      random(name('ffn_gate'), shape.width, shape.feedForward, inner),
      random(name('ffn_up'), shape.width, shape.feedForward, inner),
      random(name('ffn_down'), shape.feedForward, shape.width, outward),
    )
  }
  return tensors
}

function identity(shape: Shape): Tensor {
  const values = new Float32Array(shape.width * shape.tokens)
  for (let token = 0; token < shape.tokens; token++) values[token * shape.width + token] = 1
  return { name: 'token_embd.weight', dimensions: [shape.width, shape.tokens], values }
}

/** Row t, column s: how likely t follows s. What is not in the text leads to its first token. */
function successors(shape: Shape, options: TinyGgufOptions): Tensor {
  const values = new Float32Array(shape.width * shape.tokens)
  const text = tinyTokens(options.says ?? '')
  const first = text[0] ?? TINY.turnEnd
  const after = new Map<number, number>()
  text.forEach((token, index) => {
    after.set(token, text[index + 1] ?? (options.ends === true ? TINY.turnEnd : first))
  })
  if (after.size !== text.length) throw new TypeError('A scripted text must not hold one character twice.')
  for (let token = 0; token < shape.tokens; token++) {
    values[(after.get(token) ?? first) * shape.width + token] = 8
  }
  return { name: 'output.weight', dimensions: [shape.width, shape.tokens], values }
}

/** Zeroes the rows of control and non-ASCII tokens, so that random text is printable and goes on. */
function silence(output: Tensor | undefined, shape: Shape): void {
  output?.values.fill(0, 0, TINY.firstChar * shape.width)
}

type MetadataEntry =
  | readonly [string, 'string', string]
  | readonly [string, 'u32' | 'f32' | 'bool', number]
  | readonly [string, 'strings', readonly string[]]
  | readonly [string, 'f32s' | 'i32s', readonly number[]]

/** Grows as it is written; little-endian, as GGUF is. */
export class GgufWriter {
  readonly #parts: Uint8Array[] = []
  #length = 0

  raw(bytes: Uint8Array): this {
    this.#parts.push(bytes)
    this.#length += bytes.byteLength
    return this
  }

  u8(value: number): this {
    return this.raw(Uint8Array.of(value))
  }

  u32(value: number): this {
    const view = new DataView(new ArrayBuffer(4))
    view.setUint32(0, value >>> 0, true)
    return this.raw(new Uint8Array(view.buffer))
  }

  f32(value: number): this {
    const view = new DataView(new ArrayBuffer(4))
    view.setFloat32(0, value, true)
    return this.raw(new Uint8Array(view.buffer))
  }

  u64(value: number | bigint): this {
    const view = new DataView(new ArrayBuffer(8))
    view.setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true)
    return this.raw(new Uint8Array(view.buffer))
  }

  string(text: string): this {
    const bytes = new TextEncoder().encode(text)
    return this.u64(bytes.byteLength).raw(bytes)
  }

  get length(): number {
    return this.#length
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.#length)
    let at = 0
    for (const part of this.#parts) {
      all.set(part, at)
      at += part.byteLength
    }
    return all
  }
}

const ALIGNMENT = 32

function writeGguf(metadata: readonly MetadataEntry[], tensors: readonly Tensor[], weights: 'f32' | 'f16'): Uint8Array {
  const writer = new GgufWriter().u32(0x46554747).u32(3).u64(tensors.length).u64(metadata.length)
  for (const entry of metadata) writeEntry(writer, entry)
  const data = tensors.map((tensor) =>
    weights === 'f16' && tensor.dimensions.length > 1 ? toHalf(tensor.values) : toBytes(tensor.values),
  )
  let offset = 0
  tensors.forEach((tensor, index) => {
    writer.string(tensor.name).u32(tensor.dimensions.length)
    for (const size of tensor.dimensions) writer.u64(size)
    writer.u32(weights === 'f16' && tensor.dimensions.length > 1 ? 1 : 0).u64(offset)
    offset += padded(data[index]?.byteLength ?? 0)
  })
  writer.raw(new Uint8Array(padded(writer.length) - writer.length))
  for (const bytes of data) writer.raw(bytes).raw(new Uint8Array(padded(bytes.byteLength) - bytes.byteLength))
  return writer.bytes()
}

function writeEntry(writer: GgufWriter, [key, kind, value]: MetadataEntry): void {
  writer.string(key)
  switch (kind) {
    case 'string':
      writer.u32(8).string(value)
      return
    case 'u32':
      writer.u32(4).u32(value)
      return
    case 'f32':
      writer.u32(6).f32(value)
      return
    case 'bool':
      writer.u32(7).u8(value)
      return
    case 'strings':
      writer.u32(9).u32(8).u64(value.length)
      for (const text of value) writer.string(text)
      return
    case 'f32s':
      writer.u32(9).u32(6).u64(value.length)
      for (const number of value) writer.f32(number)
      return
    case 'i32s':
      writer.u32(9).u32(5).u64(value.length)
      for (const number of value) writer.u32(number)
  }
}

function padded(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT
}

function toBytes(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

/** IEEE 754 half precision, rounded to nearest; tiny values become zero. */
function toHalf(values: Float32Array): Uint8Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const half = new Uint16Array(values.length)
  bits.forEach((word, index) => {
    const exponent = ((word >>> 23) & 0xff) - 112
    const sign = (word >>> 16) & 0x8000
    const rounded = (word & 0x7fffff) + 0x1000
    if (exponent <= 0) half[index] = sign
    else half[index] = sign + (exponent << 10) + (rounded >>> 13)
  })
  return new Uint8Array(half.buffer)
}
