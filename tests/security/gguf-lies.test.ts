import { describe, expect, test } from 'vitest'
import { isMeshError, type ErrorCode } from '../../mesh/base/index.ts'
import { readGgufHeader, type ByteSource } from '../../helper/models/index.ts'
import { GgufWriter, tinyGguf } from '../kit/gguf.ts'

/** A file in memory that notices reads past its end. */
function memory(bytes: Uint8Array): ByteSource {
  return {
    sizeBytes: bytes.byteLength,
    read: (position, length) => Promise.resolve(bytes.slice(position, position + length)),
  }
}

async function codeOf(bytes: Uint8Array): Promise<ErrorCode | 'accepted'> {
  try {
    await readGgufHeader(memory(bytes))
    return 'accepted'
  } catch (error) {
    if (isMeshError(error)) return error.code
    throw error
  }
}

type Metadata = [key: string, write: (writer: GgufWriter) => unknown]

interface Lie {
  readonly magic?: number
  readonly version?: number
  readonly tensorCount?: number | bigint
  readonly metadataCount?: number | bigint
  readonly extra?: readonly Metadata[]
  readonly without?: string
  readonly tensors?: (writer: GgufWriter) => unknown
  readonly tensorsWritten?: number
  readonly dataBytes?: number
}

const text = (value: string) => (writer: GgufWriter) => writer.u32(8).string(value)
const u32 = (value: number) => (writer: GgufWriter) => writer.u32(4).u32(value)

const SOUND: readonly Metadata[] = [
  ['general.architecture', text('llama')],
  ['llama.context_length', u32(512)],
  ['llama.embedding_length', u32(8)],
  ['llama.block_count', u32(1)],
  ['llama.attention.head_count', u32(2)],
]

function tensor(name: string, dimensions: readonly (number | bigint)[], type: number, offset: number | bigint) {
  return (writer: GgufWriter): GgufWriter => {
    writer.string(name).u32(dimensions.length)
    for (const size of dimensions) writer.u64(size)
    return writer.u32(type).u64(offset)
  }
}

/** A tiny sound file, with the lies asked for. */
function forge(lie: Lie = {}): Uint8Array {
  const metadata = [...SOUND.filter(([key]) => key !== lie.without), ...(lie.extra ?? [])]
  const writer = new GgufWriter()
    .u32(lie.magic ?? 0x46554747)
    .u32(lie.version ?? 3)
    .u64(lie.tensorCount ?? lie.tensorsWritten ?? 1)
    .u64(lie.metadataCount ?? metadata.length)
  for (const [key, write] of metadata) write(writer.string(key))
  const tensors = lie.tensors ?? tensor('a', [8, 4], 0, 0)
  tensors(writer)
  writer.raw(new Uint8Array((32 - (writer.length % 32)) % 32))
  return writer.raw(new Uint8Array(lie.dataBytes ?? 256)).bytes()
}

const both =
  (...writers: ((writer: GgufWriter) => GgufWriter)[]) =>
  (writer: GgufWriter) => {
    for (const write of writers) write(writer)
  }

describe('a lying model file is refused before any engine sees it', () => {
  test('the sound file all lies are made from is accepted', async () => {
    expect(await codeOf(forge())).toBe('accepted')
  })

  const cases: [string, Lie, ErrorCode][] = [
    ['another kind of file', { magic: 0x04034b50 }, 'model-invalid'],
    ['version 1', { version: 1 }, 'model-invalid'],
    ['big-endian version 3', { version: 0x03000000 }, 'model-invalid'],
    ['no tensors', { tensorCount: 0, tensors: () => undefined }, 'model-invalid'],
    ['2^64-1 tensors', { tensorCount: 0xffffffffffffffffn }, 'too-large'],
    ['100,000 tensors', { tensorCount: 100_000 }, 'too-large'],
    ['2^63 metadata entries', { metadataCount: 1n << 63n }, 'too-large'],
    ['more metadata than there is', { metadataCount: 600 }, 'too-large'],
    ['a tensor that reaches past the end', { tensors: tensor('a', [8, 9], 0, 0) }, 'model-invalid'],
    ['a tensor that begins past the end', { tensors: tensor('a', [8, 4], 0, 1 << 20) }, 'model-invalid'],
    ['an offset near 2^64', { tensors: tensor('a', [8, 4], 0, 0xffffffffffffffe0n) }, 'too-large'],
    ['an offset near 2^53', { tensors: tensor('a', [8, 4], 0, 2n ** 53n - 32n) }, 'too-large'],
    ['dimensions whose product is 2^64', { tensors: tensor('a', [1n << 32n, 1n << 32n], 0, 0) }, 'too-large'],
    ['dimensions whose product wraps to 32', { tensors: tensor('a', [32n, 2n ** 59n + 1n], 0, 0) }, 'too-large'],
    ['an empty dimension', { tensors: tensor('a', [8, 0], 0, 0) }, 'model-invalid'],
    ['no dimensions', { tensors: tensor('a', [], 0, 0) }, 'model-invalid'],
    ['five dimensions', { tensors: tensor('a', [1, 1, 1, 1, 1], 0, 0) }, 'model-invalid'],
    ['a tensor type that was removed', { tensors: tensor('a', [8, 4], 4, 0) }, 'model-invalid'],
    ['a tensor type that never was', { tensors: tensor('a', [8, 4], 0xffff, 0) }, 'model-invalid'],
    ['rows that do not fill blocks', { tensors: tensor('a', [8, 4], 2, 0) }, 'model-invalid'],
    ['an offset off the alignment', { tensors: tensor('a', [8, 1], 0, 4) }, 'model-invalid'],
    [
      'two tensors of one name',
      { tensorsWritten: 2, tensors: both(tensor('a', [8, 1], 0, 0), tensor('a', [8, 1], 0, 32)) },
      'model-invalid',
    ],
    [
      'two tensors in one place',
      { tensorsWritten: 2, tensors: both(tensor('a', [8, 4], 0, 0), tensor('b', [8, 4], 0, 32)) },
      'model-invalid',
    ],
    ['a tensor name of 1 MB', { tensors: tensor('a'.repeat(1 << 20), [8, 4], 0, 0) }, 'too-large'],
    [
      'the same key twice',
      {
        extra: [
          ['general.name', text('a')],
          ['general.name', text('b')],
        ],
      },
      'model-invalid',
    ],
    ['an unknown value type', { extra: [['x', (writer) => writer.u32(13).u32(0)]] }, 'malformed'],
    ['an unknown element type', { extra: [['x', (writer) => writer.u32(9).u32(99).u64(1).u32(0)]] }, 'malformed'],
    ['a text of 2^40 bytes', { extra: [['x', (writer) => writer.u32(8).u64(1n << 40n)]] }, 'too-large'],
    ['a text longer than the file', { extra: [['x', (writer) => writer.u32(8).u64(9_999)]] }, 'malformed'],
    [
      'an array of 2^50 elements',
      {
        extra: [
          [
            'x',
            (writer) =>
              writer
                .u32(9)
                .u32(4)
                .u64(1n << 50n),
          ],
        ],
      },
      'too-large',
    ],
    ['an array longer than the file', { extra: [['x', (writer) => writer.u32(9).u32(4).u64(100_000)]] }, 'malformed'],
    ['arrays nested forty deep', { extra: [['x', nested(40)]] }, 'too-large'],
    ['an alignment of 0', { extra: [['general.alignment', u32(0)]] }, 'model-invalid'],
    ['an alignment of 48', { extra: [['general.alignment', u32(48)]] }, 'model-invalid'],
    ['an alignment of 2^31', { extra: [['general.alignment', u32(2 ** 31)]] }, 'model-invalid'],
    ['an alignment that is a text', { extra: [['general.alignment', text('32')]] }, 'model-invalid'],
    ['no architecture', { without: 'general.architecture' }, 'model-invalid'],
    ['no context length', { without: 'llama.context_length' }, 'model-invalid'],
    ['part of a split model', { extra: [['split.count', u32(3)]] }, 'model-invalid'],
    [
      'heads without number',
      { without: 'llama.attention.head_count', extra: [['llama.attention.head_count', text('many')]] },
      'model-invalid',
    ],
    [
      'a special token outside the vocabulary',
      { extra: [vocabulary(4), ['tokenizer.ggml.eos_token_id', u32(4)]] },
      'model-invalid',
    ],
    [
      'scores of another length than the tokens',
      { extra: [vocabulary(4), ['tokenizer.ggml.scores', floats(5)]] },
      'model-invalid',
    ],
    [
      'types of another length than the tokens',
      { extra: [vocabulary(4), ['tokenizer.ggml.token_type', floats(3)]] },
      'model-invalid',
    ],
  ]

  test.each(cases)('%s', async (_, lie, code) => {
    expect(await codeOf(forge(lie))).toBe(code)
  })

  test('a real file cut anywhere is refused', async () => {
    const whole = tinyGguf({ width: 16, layers: 1 })
    for (let length = 0; length < whole.byteLength; length += Math.ceil(whole.byteLength / 200)) {
      expect(await codeOf(whole.slice(0, length)), `cut at ${String(length)}`).not.toBe('accepted')
    }
    expect(await codeOf(whole.slice(0, -1))).toBe('model-invalid')
    expect(await codeOf(whole)).toBe('accepted')
  })

  test('a header larger than the bound is given up without being read', async () => {
    let readBytes = 0
    // A file that says yes to everything: endless texts of 1 MB.
    const start = new GgufWriter()
      .u32(0x46554747)
      .u32(3)
      .u64(1)
      .u64(8_000)
      .string('k')
      .u32(9)
      .u32(8)
      .u64(10_000_000)
      .bytes()
    const endless: ByteSource = {
      sizeBytes: 2 ** 40,
      read(position, length) {
        readBytes += length
        const chunk = new Uint8Array(length)
        if (position === 0) chunk.set(start)
        const view = new DataView(chunk.buffer)
        // every 8-byte word reads as the length 1,000,000
        for (let at = position === 0 ? start.byteLength : 0; at + 8 <= length; at += 8)
          view.setBigUint64(at, 1_000_000n, true)
        return Promise.resolve(chunk)
      },
    }
    await expect(readGgufHeader(endless)).rejects.toMatchObject({ name: 'MeshError' })
    expect(readBytes).toBeLessThan(256 * 1024 * 1024)
  })
})

function nested(depth: number): (writer: GgufWriter) => unknown {
  return (writer) => {
    writer.u32(9)
    for (let level = 1; level < depth; level++) writer.u32(9).u64(1)
    return writer.u32(4).u64(1).u32(0)
  }
}

function vocabulary(length: number): Metadata {
  return [
    'tokenizer.ggml.tokens',
    (writer) => {
      writer.u32(9).u32(8).u64(length)
      for (let index = 0; index < length; index++) writer.string(String(index))
    },
  ]
}

function floats(length: number): (writer: GgufWriter) => unknown {
  return (writer) => {
    writer.u32(9).u32(6).u64(length)
    for (let index = 0; index < length; index++) writer.f32(0)
  }
}
