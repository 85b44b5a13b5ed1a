import fc from 'fast-check';

/**
 * fast-check with a fixed seed: what passed once passes again. Chance has runs of its own, see random-properties.mjs,
 * which sets another seed in PROPERTY_SEED.
 */
fc.configureGlobal({ seed: Number(process.env['PROPERTY_SEED'] ?? 1) });

export { fc as default };
