/** Where our answers may differ from the recorded ones, and why. Everything else must be equal. */

/** A place in answers, and the reason for its difference. */
export interface Difference {
  /** Matches `group/step name: place in the answer: wanted …, got …`. */
  readonly where: RegExp;
  readonly why: string;
}

/** The only differences there may be. */
export const differences: readonly Difference[] = [
  // What this engine is.
  { where: /^system\/version[^:]*: \.body\.(BuildTime|Components|GitCommit|GoVersion|Platform\.Name|Version): /, why: 'another product' },
  { where: /^system\/info: \.body\.(ID|DockerRootDir|ServerVersion|InitBinary|RuncCommit\.ID|Containerd|CDISpecDirs|Name): /, why: 'another product: no containerd below it' },
  { where: /^system\/info: \.body\.(DriverStatus|FirewallBackend|LiveRestoreEnabled|Warnings|Plugins\.|RegistryConfig\.|Runtimes\.|DefaultRuntime)/, why: 'what this engine has and how it is set up here' },
  { where: /\.HostConfig\.Runtime: wanted "runc", got "crun"/, why: 'crun is the default runtime' },
  { where: /Options\.com\.docker\.network\.bridge\.name: /, why: 'several engines share a machine: each has a bridge of its own' },
  { where: /NetworkSettings\.SandboxKey: /, why: 'network namespaces have no file' },
  { where: /(Descriptor|ManifestDescriptor)\.(mediaType|annotations): /, why: 'docker loaded the image from an archive, we pulled it' },
  // What is of the run.
  { where: /^life\/top: \.body\.Processes/, why: 'pids and times' },
  { where: /^life\/logs: \.body: /, why: 'the two streams have no order between them' },
  { where: /^end\/prune: \.body\.ContainersDeleted: /, why: 'docker had made the container on an unknown network' },
  // Status 400 where docker answers 500 to a mistake of the caller; some say so in the words of Go's libraries.
  { where: /: \.status: wanted 500, got 400$/, why: "the caller's mistake, not the engine's" },
  { where: /strconv\.ParseInt: parsing/, why: 'times may be written in more ways here, and the text says so' },
  { where: /Go struct field|after object key|"unexpected EOF"/, why: "the words of Go's JSON library" },
  { where: /^system\/version too old: /, why: 'errors are JSON here, always' },
  { where: /^(life|end)\/attach [^:]*: \.(contentType|body): wanted ("application\/vnd\.docker\.raw-stream", got "application\/json"|".*\\r\\n", got \{)/, why: 'errors are JSON here, always' },
  { where: /^execs\/start exec again: /, why: 'a conflict is told as 409, not within the output' },
  { where: /^execs\/resize ended exec: /, why: "a conflict in our words, not containerd's" },
  { where: /^images\/tag to nothing: /, why: 'docker answers 200 and does nothing' },
  { where: /^system\/events with an unknown filter: /, why: 'docker takes any filter' },
  { where: /^creation\/create with a bad port protocol: /, why: 'docker takes it and fails at the start' },
  // Networks and address families that are not served yet.
  { where: /\.(Ports\.80\/tcp|Ports): wanted .*"::"/, why: 'containers have IPv4 only' },
  { where: /^end\/create on an unknown network: /, why: 'user-defined networks are not served yet' },
  { where: /DNSNames: wanted \["golden-one/, why: 'docker adds the names when a container was renamed, also where nobody resolves them' },
  { where: /^creation\/create with a bad (user namespace mode|log driver): /, why: 'named as not served' },
  { where: /^end\/inspect after a failed start: \.body\.(\w+Path|NetworkSettings\.Networks\.bridge\.NetworkID|HostConfig\.PortBindings): /, why: 'what a start leaves that never came about' },
  { where: /\.HostConfig\.PortBindings: wanted null, got \{\}/, why: 'an empty table' },
  // What needs the internet in docker.
  { where: /^images\/search for nothing: /, why: 'refused before anybody is asked' },
  { where: /^system\/login without a server: /, why: 'docker asks docker.io' },
  { where: /^images\/pull from nowhere: \.body\.message: /, why: 'the first request is another one' },
  { where: /^images\/pull for a bad platform: \.body\.message: /, why: "containerd's words" },
  { where: /^images\/pull nothing: /, why: 'imports are not served yet' },
];
