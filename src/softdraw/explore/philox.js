// Philox-4x32-10 (Salmon, Moraes, Dror, Shaw, SC 2011), and keys as softdraw.Key derives them.
// A key is {seed, offset}: two BigInts of 64 bits, as in softdraw.random.key.

const MASK64 = 0xffffffffffffffffn;

/** The upper 32 bits of the product of two unsigned 32-bit words; Math.imul gives the lower ones. */
function multiplyHigh(a, b) {
  const aLow = a & 0xffff, aHigh = a >>> 16, bLow = b & 0xffff, bHigh = b >>> 16;
  // each sum is below 2^32, so that none loses a bit
  const first = aHigh * bLow + ((aLow * bLow) >>> 16);
  const second = aLow * bHigh + (first & 0xffff);
  return aHigh * bHigh + (first >>> 16) + (second >>> 16);
}

/** Four words for the counter (c0, c1, c2, c3) under the key (k0, k1), written to `out`. */
function philox(c0, c1, c2, c3, k0, k1, out) {
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(c0, 0xd2511f53), low0 = Math.imul(c0, 0xd2511f53);
    const high1 = multiplyHigh(c2, 0xcd9e8d57), low1 = Math.imul(c2, 0xcd9e8d57);
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0 >>> 0;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
  return out;
}

/** A key of numbers, BigInts or text. */
function makeKey(seed, offset = 0) {
  return { seed: BigInt.asUintN(64, BigInt(seed)), offset: BigInt.asUintN(64, BigInt(offset)) };
}

/** The finaliser of SplitMix64. */
function mixed(word) {
  word = ((word ^ (word >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK64;
  word = ((word ^ (word >> 27n)) * 0x94d049bb133111ebn) & MASK64;
  return word ^ (word >> 31n);
}

/** The key of sub-stream `number`. */
function foldIn(key, number) {
  const golden = 0x9e3779b97f4a7c15n, data = BigInt(number);
  const inner = mixed((key.seed + golden) & MASK64);
  return { seed: mixed(BigInt.asUintN(64, inner + data * golden + golden)), offset: key.offset };
}

/** The key for a chunk that begins at a row of the batch that this key is for. */
function rowsFrom(key, start) {
  return makeKey(key.seed, key.offset + BigInt(start));
}
