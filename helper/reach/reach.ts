import { messageOf, type Clock, type Logger, type Random, type Store } from '../../mesh/base/index.ts'
import { createNameKeeper, openMulticast, type Multicast } from '../discovery/index.ts'
import { NO_OTHER_CALLERS, openDoor, type Door, type PeerCallers } from '../door/index.ts'
import { isLocalAddress, networkAddresses } from '../ports/network.ts'
import { openStun, type Stun } from '../stun/index.ts'
import { openTrust, type OwnCertificateFiles, type Trust } from '../trust/index.ts'
import { entranceAddresses, peerCallers, type Whereabouts } from './whereabouts.ts'

/** What the reach of a helper is made of. */
export interface ReachOptions {
  /** The one TCP port; 0: any free one. */
  readonly port: number
  /** UDP port of the STUN server, which runs while the local network is open; 0: any free one. */
  readonly stunPort: number
  /** Whether the local network is open. */
  readonly lan: boolean
  /** Where the authority's certificate lies, to give away. */
  readonly trustDir: string
  /** Where its keys are kept, sealed. */
  readonly store: Store
  /** What the authority is called in the lists of devices. */
  readonly label: string
  /** Whether an authority is made where there is none. */
  readonly makesAuthority: boolean
  /** The person's own certificate. */
  readonly own: OwnCertificateFiles | undefined
  /** A copy of the page on an HTTPS host. */
  readonly publicPage: string | undefined
  /** Origins of other copies of the page that may open the WebSocket of the peer. */
  readonly pageOrigins?: readonly string[] | undefined
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly signal?: AbortSignal | undefined
}

/** An open port with its certificates. */
export interface Reach {
  readonly door: Door
  readonly trust: Trust
  /** UDP port of the STUN server; undefined: there is none, because the network is closed. */
  readonly stunPort: number | undefined
  /** Multicast DNS; undefined while the network is closed, or where the system does not let us. */
  readonly multicast: Multicast | undefined
  /** The address listened on: loopback, or every interface while the local network is open. */
  readonly listenOn: string
  /** What is open, trusted and named now. */
  where(): Whereabouts
  /** Where the WebSockets of peers come in. */
  readonly entrance: {
    addresses(): readonly string[]
    readonly servePeers: Door['servePeers']
  }
  close(): Promise<void>
}

const LOOPBACK = '127.0.0.1'
/** Every interface of this machine. */
const EVERYWHERE = '0.0.0.0'
const NO_OTHER_CALLERS_YET = (): PeerCallers => NO_OTHER_CALLERS

/**
 * Opens the port and takes its certificates into force. Who connects before the port
 * is served waits.
 * @throws MeshError `port-taken`, `config-invalid`, `storage-corrupt`, `aborted`.
 */
export async function openReach(options: ReachOptions): Promise<Reach> {
  const { port, lan, clock, random, log, signal } = options
  const listenOn = lan ? EVERYWHERE : LOOPBACK
  const opened: (() => Promise<void>)[] = []
  const close = async (): Promise<void> => {
    for (const one of opened.splice(0).reverse()) await one()
  }
  try {
    // who knocks before the certificates are read is judged by the names of this machine alone
    let callers = NO_OTHER_CALLERS_YET
    const door = await openDoor({
      port,
      host: listenOn,
      clock,
      log: log.child('door'),
      signal,
      callers: () => callers(),
    })
    opened.push(() => door.close())
    const trust = await openTrust({
      dir: options.trustDir,
      store: options.store,
      label: options.label,
      clock,
      random,
      log: log.child('trust'),
      own: options.own,
      addresses: networkAddresses,
      use(pair) {
        // on loopback nobody listens in, and browsers trust it as it is
        if (lan) door.setCertificate(pair)
      },
    })
    opened.push(() => {
      trust.stop()
      return Promise.resolve()
    })
    if (lan && options.makesAuthority) await trust.make()
    const stun = lan ? await openStunFor(options) : undefined
    if (stun !== undefined) opened.push(() => stun.close())
    const multicast = lan ? await openMulticastFor(options) : undefined
    if (multicast !== undefined) {
      const name = createNameKeeper({ multicast, clock, log, addresses: networkAddresses })
      opened.push(async () => {
        name.stop()
        await multicast.close()
      })
    }
    const where = (): Whereabouts => ({
      port: door.port,
      lan,
      addresses: lan ? networkAddresses() : [],
      trust: trust.state(),
      publicPage: options.publicPage,
    })
    callers = () => peerCallers(where(), options.pageOrigins ?? [])
    return {
      door,
      trust,
      stunPort: stun?.port,
      multicast,
      listenOn,
      where,
      entrance: { addresses: () => entranceAddresses(where()), servePeers: door.servePeers },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function openStunFor({ stunPort, clock, log }: ReachOptions): Promise<Stun> {
  return openStun({ port: stunPort, host: EVERYWHERE, clock, log: log.child('stun'), isLocal: isLocalAddress })
}

/** Without it nothing is found by itself, and everything else works. */
async function openMulticastFor({ clock, log }: ReachOptions): Promise<Multicast | undefined> {
  try {
    return await openMulticast({ clock, log: log.child('mdns') })
  } catch (error) {
    log.warn('Devices of this network are not found by themselves.', { reason: messageOf(error) })
    return undefined
  }
}
