import { directDecoder } from '../kit/sync-peers.ts'
import { decoderContract } from './decoder.contract.ts'

decoderContract('in this thread', () => Promise.resolve(directDecoder))
