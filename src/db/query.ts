import {
  DummyDriver,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type Compilable,
  type CompiledQuery,
} from 'kysely';

/** A query that knows its SQL, its parameters and the type of its rows. */
export type Query<Row> = Compilable<Row> | CompiledQuery<Row>;

/**
 * Returns a builder that types and compiles queries over `Tables` and never runs them: a `Database` does, synchronously
 * (kysely's own transactions await, so that two of them would interleave).
 */
export function queryBuilder<Tables>(): Kysely<Tables> {
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (database) => new SqliteIntrospector(database),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  });
}
