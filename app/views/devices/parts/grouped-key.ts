/** A peer id in groups of four, so that two people can read it to each other. */
export function groupedKey(id: string): string {
  return id.match(/.{1,4}/g)?.join(' ') ?? ''
}
