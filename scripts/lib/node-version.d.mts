export function nodeTooOld(version?: string): string | undefined
export function requireNode(): void
