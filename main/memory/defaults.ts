/**
 * Constants of the normal memory, by the sections of the embedded recipe. Measured on real pictures; a
 * change here changes every model trained afterwards, never one that exists.
 */
export const memoryDefaults = {
  /** Section 3: patches kept of each picture, and the dimensions they are chosen in. */
  patchesPerPicture: 48,
  patchProjectionDims: 24,
  /**
   * Section 3: entries of one class's bank at most, and of all classes together (but at least `bankSizeMin` a class);
   * the dimensions that k-centre chooses them in.
   */
  bankSize: { deep: 4096, fine: 2048, coarse: 4096 },
  bankTotal: 65_536,
  bankSizeMin: 512,
  coresetProjectionDims: 32,
  /** Section 1: distances below this count as this in the logarithm. */
  distanceFloor: 1e-3,
  /** Section 4: pictures per class that search the bank without their own entries. */
  calibrationPictures: 60,
  /** Section 4: weight of the class statistics in an entry's own, in tokens, and the smallest variance. */
  entryPriorTokens: 5,
  entryVarianceFloor: 1e-6,
  /** Statistics of ln d where not one distance could be measured (one picture in all): scores stay ln d itself. */
  fallbackLogDistanceMean: 0,
  fallbackLogDistanceVariance: 1,
  /** Section 5: weight of the other classes in a class's standard deviation, in pictures. */
  spreadPriorPictures: 8,
  /** Section 7: weight of the other classes in a class's held-out shift, in pictures. */
  shiftPriorPictures: 8,
  /** Where no class has two scores to measure a spread from. */
  fallbackScoreMean: 0,
  fallbackScoreSd: 1,
  /** Identical pictures score alike; z stays finite. */
  scoreSdFloor: 1e-3,
  /** Section 6: smallest denominator of the closed-form leave-one-out, and up to how many pictures it is refitted. */
  leaveOneOutFloor: 0.02,
  refitUpToPictures: 16,
  /**
   * Ledoit-Wolf's estimate is 0 for two pictures (b2 = 0), which leaves a singular covariance. Below three pictures
   * the shrinkage is this; elsewhere it is at least `shrinkageFloor`, for duplicates.
   */
  fewPicturesShrinkage: 0.5,
  shrinkageFloor: 1e-4,
  /** A single picture has no variance: this share of its mean square stands in when no other class lends one. */
  fallbackRelativeVariance: 0.01,
  /** Quadratic form by n - 1 directions when they are fewer than this share of the dimensions. */
  lowRankUpToShare: 0.75,
  /** With less shrinkage the low-rank form subtracts nearly equal numbers (error of g in 32 bits: 3e-5 at 0.05 against
   * 1e-6 at 0.3): the dense one is used. */
  lowRankMinShrinkage: 0.1,
  /** Section 2: share and least number of normal pictures held out for calibration. */
  heldOutShare: 0.1,
  heldOutMin: 4,
  /**
   * Spread of a class's directions from which its pictures count as varied, in part and fully. Good pictures of 16 kinds
   * of parts: 0.007 to 0.060 (eight of them: up to 0.073); of CIFAR-10's classes: 0.137 to 0.192.
   */
  variedFrom: 0.09,
  variedFully: 0.13,
  /** Section 11: classes with at most this many pictures use raw distances and hold nothing out. */
  fewPictures: 8,
} as const;
