import type { SentenceKey } from '../calibration/sentences.ts';

/** The calibration's sentences in German; places as in `sentenceTemplates`. */
export const deSentences: Readonly<Record<SentenceKey, string>> = {
  escapeOrder:
    'Mit {confidence:percent} Sicherheit liegen höchstens {high:percent} der fehlerhaften Teile unter der Schwelle, wie auch immer die Werte verteilt sind (verwendete Fehler: {n}).',
  falseRejectOrder:
    'Mit {confidence:percent} Sicherheit erreichen höchstens {high:percent} der Gutteile die Schwelle, wie auch immer die Werte verteilt sind (verwendete Gutteile: {n}).',
  escapeExact:
    'Schlupf: {count} von {n} Fehlern. Mit {confidence:percent} Sicherheit gehen zwischen {low:percent} und {high:percent} der fehlerhaften Teile durch.',
  escapeExactUpper:
    'Schlupf: {count} von {n} Fehlern. Möglich sind noch bis zu {high:percent}, mit {confidence:percent} Sicherheit.',
  falseRejectExact:
    'Pseudofehler: {count} von {n} Gutteilen. Mit {confidence:percent} Sicherheit werden zwischen {low:percent} und {high:percent} der Gutteile abgelehnt.',
  falseRejectExactUpper:
    'Pseudofehler: {count} von {n} Gutteilen. Möglich sind noch bis zu {high:percent}, mit {confidence:percent} Sicherheit.',
  escapeBand:
    'Schlupf: {count} von {n} Fehlern. Mit {confidence:percent} Sicherheit gehen zwischen {low:percent} und {high:percent} der fehlerhaften Teile durch, gleich wo die Schwellen an diesen Teilen gesetzt werden.',
  falseRejectBand:
    'Pseudofehler: {count} von {n} Gutteilen. Mit {confidence:percent} Sicherheit werden zwischen {low:percent} und {high:percent} der Gutteile abgelehnt, gleich wo die Schwellen an diesen Teilen gesetzt werden.',
  bothTogether: 'Beide Aussagen gelten zusammen mit {confidence:percent} Sicherheit.',
  independence: 'All das gilt für Teile, die unabhängig aus derselben Fertigung stammen wie die hier verwendeten.',
  fewGroups:
    'Die {parts} Teile stammen aus {groups} Gruppen (Losen, Seriennummern) und ähneln sich darin: Sie zählen wie etwa {worth:number} unabhängige Teile, und die Grenzen oben sind entsprechend zu eng.',
  oneGroup: 'Alle {parts} Teile stammen aus einer Gruppe (Los, Seriennummer): Über andere ist damit nichts bekannt.',
  noDefects: 'Es gibt keine Fehler, also lässt sich über Schlupf nichts sagen. Nötige Fehler: {moreDefects}.',
  noNormals: 'Es gibt keine Gutteile, also lässt sich über Pseudofehler nichts sagen. Nötige Gutteile: {moreNormals}.',
  tooFewDefects:
    '{n} Fehler können einen Schlupf von höchstens {rate:percent} nicht mit {confidence:percent} Sicherheit zeigen, auch wenn keiner durchgeht. Weitere nötige Fehler: {moreDefects}.',
  tooFewNormals:
    '{n} Gutteile können höchstens {rate:percent} Pseudofehler nicht mit {confidence:percent} Sicherheit zeigen, auch wenn keines abgelehnt wird. Weitere nötige Gutteile: {moreNormals}.',
  tooFewForInterval:
    '{defects} Fehler und {normals} Gutteile lassen die Anteile offen (bis zu {worst:percent}): Eine daraus gewählte Schwelle besagt nichts. Weitere nötige Fehler: {moreDefects}, weitere Gutteile: {moreNormals}.',
  scoresNotFinite: '{count} von {n} Werten sind keine endlichen Zahlen; daran wird nichts eingestellt.',
  scoresEqual: 'Alle {n} Werte sind gleich: Sie unterscheiden nichts, und keine Schwelle kann es.',
  scoresUseless:
    'Fehler haben keine höheren Werte als Gutteile (AUROC höchstens {high:number} mit {confidence:percent} Sicherheit): Entweder sind die Beurteilungen vertauscht, oder das Modell sieht diese Fehler nicht.',
  labelsContradict:
    '{count} Bilder sind zugleich als gut und als fehlerhaft beurteilt, zuerst „{example}“: Bitte entscheiden, was gilt.',
  rateOutOfRange: '{name}: {value} liegt nicht zwischen 0 und 1.',
  rateImpossible:
    '{name}: {value} lässt sich mit keiner Zahl von Teilen zeigen; ein Anteil über 0 und unter 1 ist nötig.',
  costImpossible: '{name}: Kosten von {value} lassen sich nicht abwägen; Kosten sind endlich und über 0.',
  costPassAll:
    'Bei diesen Kosten und diesem Fehleranteil ist es am billigsten, jedes Teil ungesehen durchzulassen: Das ist keine Prüfung.',
  costFailAll:
    'Bei diesen Kosten und diesem Fehleranteil ist es am billigsten, kein Teil ungesehen durchzulassen: Das ist keine Prüfung.',
  defectRateNone:
    'Bei einem Fehleranteil von 0 gibt es nichts zu finden: Keine Schwelle ist billiger, als alles durchzulassen.',
  defectRateAll:
    'Bei einem Fehleranteil von 1 ist jedes Teil schlecht: Keine Schwelle ist billiger, als alles abzulehnen.',
  trainedOn: 'Aus {count} von {n} Bildern wurde gelernt, zuerst „{example}“: Ihre Werte sehen zu gut aus.',
  reachable: 'Was diese Teile zeigen können: höchstens {high:percent} mit {confidence:percent} Sicherheit.',
  heldOutUsed:
    '{count} von {n} Bildern waren beim Training zurückgelegt: Gelernt wurde daraus nichts, aber der Maßstab der Werte wurde an ihnen gesetzt.',
  nearDuplicates:
    '{count} von {n} Bildern gleichen einem, aus dem gelernt wurde, zuerst „{example}“ dem Bild „{twin}“: Ihre Werte sehen vielleicht zu gut aus.',
  notCompared: 'Es waren keine Trainingsbilder zur Hand: Nur gleiche Dateien ließen sich erkennen, keine ähnlichen.',
  notFiniteRejected:
    '{count} von {n} Teilen haben keinen endlichen Wert; die Station lehnt solche Teile ab, und so zählen sie hier.',
  counts:
    'Von {normals} Gutteilen fallen {falseRejects} durch und {normalReviews} werden angesehen; von {defects} Fehlern gehen {escapes} durch und {defectReviews} werden angesehen.',
  perThousand:
    'Von 1.000 Teilen bei einem Fehleranteil von {defectRate:percent}: Schlupf {escapes:parts} (bis {escapesHigh:parts}), Pseudofehler {falseRejects:parts} (bis {falseRejectsHigh:parts}), anzusehen {reviews:parts} (bis {reviewsHigh:parts}).',
  perHour:
    'Bei {partsPerHour:number} Teilen je Stunde: anzusehen {reviews:parts}, Pseudofehler {falseRejects:parts}, Schlupf {escapes:parts} je Stunde.',
  reviewersCatch:
    'Menschen müssen unter {reviews:parts} angesehenen Teilen von 1.000 die {defects:parts} Fehler finden.',
  defectRateZero: 'Bei einem Fehleranteil von 0 kann nichts durchgehen; der Schlupf ist dann stets 0.',
  defectRateOne:
    'Bei einem Fehleranteil von 1 kann nichts zu Unrecht abgelehnt werden; Pseudofehler sind dann stets 0.',
  prevalenceFromSample:
    'Der Fehleranteil der Linie ist nicht angegeben; {defectRate:percent} ist der Anteil unter diesen Bildern, kaum der der Linie.',
  noInterval: 'Unter diesen Bildern gibt es keine {what}, also ist kein Anteil davon bekannt.',
  reviewAboveFail:
    'Die Prüfen-Schwelle {review:number} liegt über der Schlecht-Schwelle {fail:number}: Sie wurden zurückgetauscht.',
  classOwn: 'Klasse „{className}“: eigene Schwelle, aus {normals} Gutteilen und {defects} Fehlern ihrer selbst.',
  classPartial:
    'Klasse „{className}“: Schwelle aller Klassen, verschoben um {offset:number} (ihre eigenen Werte zählen {weight:percent}, alle Klassen den Rest), aus {normals} eigenen Gutteilen. Die Zusicherung gilt für die Mischung der Klassen.',
  classPooled:
    'Klasse „{className}“: Schwelle aller Klassen ({normals} eigene Gutteile und {defects} eigene Fehler sind zu wenige).',
  classNone:
    'Klasse „{className}“: keine Schwelle, denn weder sie noch alle Klassen zusammen halten die Vorgabe ein ({normals} eigene Gutteile und {defects} eigene Fehler).',
  unknownOrder:
    'Mit {confidence:percent} Sicherheit werden höchstens {high:percent} der Teile bekannter Klassen für unbekannt gehalten (verwendete zurückgelegte Gutteile: {n}).',
  unknownTooFew:
    '{n} Gutteile, die nicht am Training teilnahmen, können nicht mit {confidence:percent} Sicherheit zeigen, dass höchstens {rate:percent} bekannter Teile für unbekannt gehalten werden. Weitere nötige Gutteile: {moreNormals}.',
  unknownClass:
    'Das Teil gleicht keiner der bekannten Klassen (Abstand {distance:number}, bekannte Teile reichen bis {threshold:number}).',
  classUnchecked:
    'Das Modell gibt für dieses Teil keinen Klassenabstand an: Ob seine Klasse bekannt ist, konnte nicht geprüft werden.',
  scoreNotFinite: 'Das Teil hat keinen endlichen Wert.',
  gateNonInferior:
    '{what}, {className}: Das neue Modell verliert {lost} und gewinnt {gained} von {n} Teilen; mit {confidence:percent} Sicherheit ist der Verlust höchstens {high:percent} (erlaubt: {margin:percent}).',
  gateTooFew:
    '{what}, {className}: {n} Referenzteile können einen Verlust von höchstens {margin:percent} nicht mit {confidence:percent} Sicherheit zeigen. Weitere nötige Teile: {more}.',
  gateLossOpen:
    '{what}, {className}: Das neue Modell verliert {lost} und gewinnt {gained} von {n} Teilen; der Verlust kann bis zu {high:percent} betragen (erlaubt: {margin:percent}).',
  gateHarm:
    '{what}, {className}: Das neue Modell verliert {lost} und gewinnt nur {gained} von {n} Teilen; das ist schlechter, als Zufall erklärt (exakter McNemar-Test p = {p:number}).',
  gateLossSeen:
    '{what}, {className}: Das neue Modell verliert {lost} und gewinnt {gained} von {n} Teilen, {loss:percent} davon (erlaubt: {margin:percent}).',
  gateUnchanged:
    '{what}, {className}: kein Schaden zu sehen ({lost} verloren, {gained} gewonnen von {n} Teilen, exakter McNemar-Test p = {p:number}).',
  gateNothing: '{what}, {className}: Dafür gibt es keine Referenzteile, also ist nichts bekannt.',
  gateClassMissing: 'Das neue Modell kennt die Klasse „{className}“ des aktiven Modells nicht.',
  gateClassUntested: 'Der Referenzsatz enthält keine Teile der Klasse „{className}“.',
  gateNotFinite: '{count} Referenzteile haben vom Modell ({model}) keinen endlichen Wert; sie gelten als abgelehnt.',
  gateTrained:
    'Aus {count} Referenzbildern hat das Modell ({model}) gelernt, zuerst „{example}“: Der Vergleich ist wertlos.',
  gateNoOther: 'Es ist kein anderes Modell in Betrieb, also gibt es nichts zu vergleichen.',
  gateNotCompared: 'Mit dem aktiven Modell lässt sich nicht vergleichen: {why}',
  latencyWithin:
    'Mit {confidence:percent} Sicherheit brauchen 95 % der Teile höchstens {high:number} ms (gemessenes p95 {p95:number} ms, Taktzeit {cycle:number} ms).',
  latencyBeyond:
    '95 % der Teile können bis zu {high:number} ms brauchen (gemessenes p95 {p95:number} ms), mehr als die Taktzeit von {cycle:number} ms.',
  latencyTooFew:
    '{n} gemessene Teile können das 95. Perzentil nicht mit {confidence:percent} Sicherheit begrenzen. Weitere nötige Teile: {more}.',
  latencyNoLimit: 'Kein Rezept nennt eine Taktzeit, also gibt es keine Grenze.',
  latencyNoPictures: 'Es gibt keine Bilder, an denen die Zeit gemessen werden könnte.',
  parityKept:
    'Training und Paket stimmen überein: Die Werte weichen auf {pictures} Bildern höchstens {difference:number} ab (erlaubt: {tolerance:number}), kein Urteil änderte sich.',
  parityBroken:
    'Training und Paket stimmen nicht überein: Die Werte weichen bis zu {difference:number} ab (erlaubt: {tolerance:number}), {flips} Urteile änderten sich auf {pictures} Bildern.',
  parityUnknown: 'Das Paket sagt nichts Brauchbares darüber, ob Training und Paket übereinstimmen.',
  overridden: 'Abgelehnt und am {at} freigegeben von {by} ({role}): {reason}',
  shadowAgreement:
    'Die Modelle sind sich bei {agree} von {n} Teilen einig; mit {confidence:percent} Sicherheit unterscheiden sie sich bei {low:percent} bis {high:percent} der Teile.',
  shadowOpen: 'Von beiden beurteilte Teile: {n}; gewünscht: {parts}. Der Vergleich läuft weiter.',
  shadowNone: 'Noch wurde kein Teil von beiden Modellen beurteilt.',
  shadowStricter: 'Das neue Modell lehnt {count} Teile ab, die das aktive durchlässt.',
  shadowLaxer: 'Das neue Modell lässt {count} Teile durch, die das aktive ablehnt.',
};
