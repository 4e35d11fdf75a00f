import { randomInt } from 'node:crypto';
import { EngineError } from '../base/errors.ts';

const adjectives =
  'able amber apt bold brave bright brisk calm candid clear clever cosy crisp daring deft eager early easy fair fine fleet fond frank fresh gentle glad golden good grand happy hardy hearty honest humble ideal jolly just keen kind lively loyal lucid lucky mellow merry mild modest neat nimble noble patient plain placid polite prime proud prudent pure quick quiet rapid ready robust royal sage serene sharp silver sincere smart snug sober solid sound stable steady still stout strong sturdy subtle sunny sure swift tender tidy trim true trusty upbeat valid vivid warm wise witty young zealous'.split(
    ' ',
  );
const surnames =
  'abbe abel agnesi amdahl ampere archimedes aryabhata babbage backus banach bardeen bell berzelius bessel bohr boole bose brahe cantor carson cauchy cavendish celsius cerf chandra clarke copernicus cori curie dalton darwin davy dijkstra dirac dyson edison einstein engelbart erdos euclid euler faraday fermat fermi feynman fibonacci fourier franklin galilei galois gauss gibbs godel hamilton hawking heisenberg hertz hilbert hopper hubble huygens hypatia jacobi johnson joule kapitsa keller kepler kilby knuth lagrange lamarr lamport laplace leibniz liskov lovelace maxwell mayer mendel mirzakhani moore morse nash neumann newton nobel noether ohm pascal pasteur pauli perlman planck poincare ramanujan ride ritchie rosalind russell rutherford sagan shannon somerville stallman tesla thompson torvalds turing vaughan volta wiles wilson wing wright wu yalow'.split(
    ' ',
  );

/** Returns a random name, `adjective_surname`, that `taken` does not know. */
export function generateName(taken: (name: string) => boolean): string {
  for (let attempt = 0; ; attempt++) {
    const name = `${pick(adjectives)}_${pick(surnames)}${attempt < 6 ? '' : String(randomInt(10 ** Math.min(attempt - 5, 9)))}`;
    if (!taken(name)) return name;
  }
}

function pick(words: readonly string[]): string {
  return words[randomInt(words.length)] ?? '';
}

/**
 * Returns a container name without its leading slash.
 *
 * @throws {EngineError} invalidArgument in docker's words.
 */
export function checkName(text: string): string {
  const name = text.startsWith('/') ? text.slice(1) : text;
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) return name;
  throw new EngineError(
    'invalidArgument',
    `Invalid container name (${text}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
  );
}
