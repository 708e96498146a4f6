/**
 * Whether an address of a connection is this machine's loopback interface. Nothing
 * else can have it as its source: the system drops such packets from any network.
 */
export function isLoopbackIp(address: string): boolean {
  const plain = address.replace(/^::ffff:/i, '')
  return plain === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(plain)
}
