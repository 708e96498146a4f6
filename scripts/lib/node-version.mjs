// Written so that very old Nodes can still read it: they must get as far as the sentence.

/** A sentence when this Node is too old, else undefined. */
export function nodeTooOld(version = process.versions.node) {
  const parts = version.split('.').map(Number)
  const ok = parts[0] > 20 || (parts[0] === 20 && parts[1] >= 19)
  return ok
    ? undefined
    : 'Plexus needs Node 20.19 or later, and this is Node ' +
        version +
        '. Install a newer one and run the same command again.'
}

/** Ends the process with 1 and the sentence when this Node is too old. */
export function requireNode() {
  const sentence = nodeTooOld()
  if (sentence !== undefined) {
    process.stderr.write(sentence + '\n')
    process.exit(1)
  }
}
