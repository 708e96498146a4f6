import { createSocket, type Socket } from 'node:dgram'
import { MeshError, messageOf, type Clock, type Logger } from '../../mesh/base/index.ts'
import { answerTo } from './message.ts'
import { createRate } from '../ports/rate.ts'

/** Every number of the STUN server, why, and what happens at it. */
export const STUN_LIMITS = {
  /** Questions of one address at once: a browser asks a few times for each of its interfaces. Above: no answer. */
  burstPerAddress: 40,
  /** Questions per second that an address gets back. */
  perAddressPerSecond: 10,
  /** Answers per second in all, whoever asks. Above: no answer. */
  perSecond: 300,
  /** Addresses counted at once. Above: the longest unseen is forgotten. */
  addresses: 1_024,
} as const

/** What a STUN server is opened with. */
export interface StunOptions {
  /** 0: any free one. */
  readonly port: number
  readonly host: string
  readonly clock: Clock
  readonly log: Logger
  /** Whether an address is of a network this machine is on; nobody else is answered. */
  isLocal(address: string): boolean
}

/** A STUN server that answers. */
export interface Stun {
  readonly port: number
  close(): Promise<void>
}

/** Answers binding requests on one UDP port. @throws MeshError `port-taken` */
export async function openStun(options: StunOptions): Promise<Stun> {
  const { clock, log } = options
  const ofAddress = createRate(clock, {
    burst: STUN_LIMITS.burstPerAddress,
    perSecond: STUN_LIMITS.perAddressPerSecond,
    keysMax: STUN_LIMITS.addresses,
  })
  const ofAll = createRate(clock, { burst: STUN_LIMITS.perSecond, perSecond: STUN_LIMITS.perSecond, keysMax: 1 })
  const socket = createSocket('udp4')
  socket.on('message', (packet, sender) => {
    if (!options.isLocal(sender.address)) return
    const answer = answerTo(packet, sender)
    if (answer === undefined || !ofAddress.take(sender.address) || !ofAll.take('')) return
    socket.send(answer, sender.port, sender.address, (error) => {
      if (error !== null) log.debug('A STUN answer could not be sent.', { reason: messageOf(error) })
    })
  })
  await bind(socket, options)
  socket.on('error', (error) => {
    log.warn('The STUN server failed.', { reason: messageOf(error) })
  })
  return {
    port: socket.address().port,
    close: () =>
      new Promise((resolve) => {
        socket.close(() => {
          resolve()
        })
      }),
  }
}

async function bind(socket: Socket, { port, host }: StunOptions): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind({ port, address: host, exclusive: true }, () => {
        socket.off('error', reject)
        resolve()
      })
    })
  } catch (error) {
    socket.close()
    throw new MeshError(
      'port-taken',
      `Port ${String(port)} (UDP) that STUN needs is taken by another program. Stop it, or choose another with --port.`,
      { cause: error, detail: { port } },
    )
  }
}
