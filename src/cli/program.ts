/** Runs a command line and returns its exit code. Servers are loaded only when they are asked for. */
export async function run(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv;
  switch (command) {
    case 'daemon':
      return (await import('../daemon/main.ts')).runDaemon(rest);
    case 'hub':
      return (await import('../daemon/hub.ts')).runHub(rest);
    default:
      process.stderr.write(`slipway: unknown command: slipway ${command ?? ''}\n`);
      return 1;
  }
}
