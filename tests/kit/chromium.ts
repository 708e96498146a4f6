import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import { findChromium } from '../../scripts/lib/chromium.mjs'

/** Window sizes that count: a small phone and a desktop. */
export const SIZES = { phone: { width: 360, height: 740 }, desktop: { width: 1280, height: 800 } } as const

/**
 * What Chromium does beside showing pages. It draws two pages of its own for the address bar of each context, a second
 * of the processor each, which nobody sees without a window. The flag counts once, so what the driver names is named too.
 */
const WITHOUT = [
  ...['WebUIOmniboxPopup', 'WebUIOmniboxAimPopup'],
  ...['AimEnabled', 'LensOverlay', 'MediaRouter', 'OptimizationHints', 'NetworkTimeServiceQuerying'],
  ...['PreconnectToSearch', 'HttpsUpgrades', 'HttpsFirstBalancedModeAutoEnable', 'PaintHolding'],
  ...['ThirdPartyStoragePartitioning', 'AvoidUnnecessaryBeforeUnloadCheckSync', 'DestroyProfileOnBrowserClose'],
  'AvoidCorsURLLoaderRestartOnRedirect',
]

const FLAGS = [
  `--disable-features=${WITHOUT.join(',')}`,
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-default-apps',
]

/** How a browser device looks. */
export interface DeviceOptions {
  readonly size?: keyof typeof SIZES
  readonly colorScheme?: 'light' | 'dark'
  readonly reducedMotion?: 'reduce' | 'no-preference'
}

/** A fresh browser profile: a device of its own in the mesh. */
export interface BrowserDevice {
  readonly context: BrowserContext
  /** Its first page. */
  readonly page: Page
  /** Another tab of the same profile. */
  newTab(): Promise<Page>
  /** Errors the pages wrote to the console, and exceptions nobody caught. */
  readonly errors: string[]
  /** Requests that went to another origin than a page's own. */
  foreignRequests(ownOrigins: readonly string[]): string[]
  close(): Promise<void>
}

/** A running Chromium. */
export interface TestBrowser {
  readonly browser: Browser
  device(options?: DeviceOptions): Promise<BrowserDevice>
  close(): Promise<void>
}

/** True when there is a Chromium to test with; otherwise tests in a browser are left out. */
export const hasChromium = findChromium() !== undefined

/** Starts the system's Chromium without a window, `flags` beside the usual ones. */
export async function startChromium(flags: readonly string[] = []): Promise<TestBrowser> {
  const executablePath = findChromium()
  const browser = await chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath }),
    headless: true,
    args: [...FLAGS, ...flags],
  })
  return {
    browser,
    device: (options) => openDevice(browser, options),
    close: () => browser.close(),
  }
}

async function openDevice(browser: Browser, options: DeviceOptions = {}): Promise<BrowserDevice> {
  const size = options.size ?? 'desktop'
  const context = await browser.newContext({
    viewport: SIZES[size],
    isMobile: size === 'phone',
    hasTouch: size === 'phone',
    colorScheme: options.colorScheme ?? 'light',
    reducedMotion: options.reducedMotion ?? 'reduce',
    locale: 'en-GB',
  })
  const errors: string[] = []
  const requests: string[] = []
  context.on('request', (request) => requests.push(request.url()))
  context.on('console', (message) => {
    if (message.type() === 'error') errors.push(`${message.text()} (${message.location().url})`)
  })
  context.on('weberror', (error) => errors.push(error.error().stack ?? String(error.error())))
  const page = await context.newPage()
  return {
    context,
    page,
    newTab: () => context.newPage(),
    errors,
    foreignRequests: (ownOrigins) => requests.filter((url) => /^(https?|wss?):/.test(url) && !isOwn(url, ownOrigins)),
    close: () => context.close(),
  }
}

function isOwn(url: string, ownOrigins: readonly string[]): boolean {
  const { host } = new URL(url)
  return ownOrigins.some((origin) => new URL(origin).host === host)
}
