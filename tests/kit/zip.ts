import { crc32, deflateRawSync } from 'node:zlib'

/** One member of a zip archive, with what it claims and what is true. */
export interface ZipMember {
  readonly name: string
  readonly bytes: Uint8Array
  /** What the directory says; default: the truth. */
  readonly claimedBytes?: number
  readonly store?: boolean
  readonly encrypted?: boolean
}

/** The bytes of a zip archive. Tests use it to make wheels, honest and lying. */
export function makeZip(members: readonly ZipMember[]): Uint8Array {
  const files: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const member of members) {
    const name = Buffer.from(member.name)
    const packed = member.store === true ? Buffer.from(member.bytes) : deflateRawSync(member.bytes)
    const shared = Buffer.alloc(26)
    shared.writeUInt16LE(20, 0)
    shared.writeUInt16LE(member.encrypted === true ? 1 : 0, 2)
    shared.writeUInt16LE(member.store === true ? 0 : 8, 4)
    shared.writeUInt32LE(typeof crc32 === 'function' ? crc32(member.bytes) : 0, 10)
    shared.writeUInt32LE(packed.length, 14)
    shared.writeUInt32LE(member.claimedBytes ?? member.bytes.byteLength, 18)
    shared.writeUInt16LE(name.length, 22)
    const local = Buffer.concat([Buffer.from('PK\u0003\u0004', 'latin1'), shared, name, packed])
    const tail = Buffer.alloc(14)
    tail.writeUInt32LE(offset, 10)
    directory.push(Buffer.concat([Buffer.from('PK\u0001\u0002\u0014\u0000', 'latin1'), shared, tail, name]))
    files.push(local)
    offset += local.length
  }
  const listing = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\u0005\u0006', 'latin1')
  end.writeUInt16LE(members.length, 8)
  end.writeUInt16LE(members.length, 10)
  end.writeUInt32LE(listing.length, 12)
  end.writeUInt32LE(offset, 16)
  return new Uint8Array(Buffer.concat([...files, listing, end]))
}
