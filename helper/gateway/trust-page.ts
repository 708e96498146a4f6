import type { Face } from './face.ts'

type Trusted = NonNullable<ReturnType<Face['trust']>>

/** How a device is told to trust an authority; first what it calls itself, then what to tap. */
const STEPS: readonly (readonly [system: string, steps: string])[] = [
  [
    'iPhone and iPad',
    'Open the file in Safari and allow the profile. Then Settings → General → VPN & Device Management → the profile → Install. Last, Settings → General → About → Certificate Trust Settings: switch it on there.',
  ],
  [
    'Android',
    'Settings → Security & privacy → More → Encryption & credentials → Install a certificate → CA certificate. Choose the downloaded file.',
  ],
  [
    'macOS',
    'Open the file: Keychain Access takes it. Find it there by its name, open it, and under Trust choose Always Trust.',
  ],
  [
    'Windows',
    'Open the file → Install Certificate → Current User → Place all certificates in the following store → Trusted Root Certification Authorities.',
  ],
  [
    'Linux, and Firefox anywhere',
    'In the browser’s settings search for certificates, open Authorities and import the file; allow it to identify websites.',
  ],
]

/**
 * The page that tells a device how to trust this helper: plain HTML with the look of
 * the built page, so that it shows in any browser, without a script.
 */
export function trustPage(
  trusted: Trusted,
  options: { readonly styles: readonly string[]; readonly isSecure: boolean },
): string {
  const { fingerprint, securePages } = trusted
  return document(
    options.styles,
    `<section>
<p class="sentence">Plexus on this network speaks HTTPS with a certificate of its own: no outside authority knows a computer in your home. Trust it once on this device, and the page is private here, installs as an app and opens offline.</p>
${options.isSecure ? '<p class="note"><span>You opened this page over HTTPS already. If your browser did not warn you, nothing is left to do.</span></p>' : ''}
</section>
<section>
<p class="nth">Step 1</p>
<h2>Download</h2>
<div class="actions"><a class="btn btn-main" href="/trust/plexus-authority.crt" download>Download the certificate</a></div>
</section>
<section>
<p class="nth">Step 2</p>
<h2>Compare</h2>
<p>${options.isSecure ? '' : 'This page came unprotected: somebody on this network could have changed it, the file and these digits. '}The true digits are on the computer of the helper: run <code>plexus trust</code> there. They must equal the SHA-256 fingerprint that this device shows of the file.</p>
<p class="mono">${grouped(fingerprint)}</p>
<p class="quiet">If one digit differs, do not trust the file.</p>
</section>
<section>
<p class="nth">Step 3</p>
<h2>Trust it on this device</h2>
<dl class="facts">${STEPS.map(([system, steps]) => `<dt>${escaped(system)}</dt><dd>${escaped(steps)}</dd>`).join('\n')}</dl>
</section>
<section>
<p class="nth">Step 4</p>
<h2>Open Plexus</h2>
<div class="actions">${securePages.map((url) => `<a class="btn" href="${escaped(url)}">${escaped(url)}</a>`).join('\n')}</div>
<p class="quiet">Always use the same of these: to the browser each is another place, with other chats.</p>
</section>
<section>
<h2>What you allow by it</h2>
<p>The certificate can speak for <code>plexus.local</code> and for addresses of private networks, and never for a website. <code>plexus trust delete</code> on the helper’s computer destroys its key; on this device you remove it where you added it.</p>
</section>`,
  )
}

/** What is said where there is nothing to trust. */
export function nothingToTrustPage(styles: readonly string[]): string {
  return document(
    styles,
    `<section><p class="sentence">This helper has no certificate of its own to trust. On its computer, <code>plexus trust make</code> makes one.</p></section>`,
  )
}

function document(styles: readonly string[], body: string): string {
  return `<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="/icons/mark.svg" type="image/svg+xml">
${styles.map((href) => `<link rel="stylesheet" href="${escaped(href)}">`).join('\n')}
<title>Trust this helper – Plexus</title>
</head>
<body>
<div class="app"><main class="page">
<header class="top"><h1>Trust this helper</h1></header>
<div class="scroll"><div class="pad join">
${body}
</div></div>
</main></div>
</body>
</html>
`
}

/** 32 pairs in lines that a person can compare. */
function grouped(fingerprint: string): string {
  const pairs = fingerprint.split(':')
  const lines = [0, 8, 16, 24].map((from) => pairs.slice(from, from + 8).join(' '))
  return lines.map(escaped).join('<br>')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
