"""Sentences in six languages: of carriers' answers instead of a proof, of papers around a parcel, and of proofs.

One line for each language: a title or label and what follows it, with {fields} to fill.
"""


def _parse(text: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """By kind and language."""
    sentences: dict[str, dict[str, tuple[str, ...]]] = {}
    kind = ""
    for line in text.strip().splitlines():
        if line.startswith("["):
            kind = line.strip("[]")
            sentences[kind] = {}
        else:
            language, _, rest = line.partition(": ")
            sentences[kind][language] = tuple(sentence.strip() for sentence in rest.split(" | "))
    return sentences


NOTICES = _parse("""
[not_available]
fr: Preuve de livraison indisponible | Aucune preuve de livraison n'est disponible pour l'envoi {number}. | Merci de contacter votre agence {carrier} pour toute précision.
en: Proof of delivery not available | We are unable to provide a proof of delivery for shipment {number}. | No signature image is on file. Please contact {carrier} customer service.
de: Zustellnachweis nicht verfügbar | Für die Sendung {number} liegt kein Zustellnachweis vor. | Bitte wenden Sie sich an den Kundenservice von {carrier}.
es: Justificante de entrega no disponible | No disponemos de ningún justificante de entrega para el envío {number}. | Póngase en contacto con el servicio de atención al cliente de {carrier}.
it: Prova di consegna non disponibile | Per la spedizione {number} non è disponibile alcuna prova di consegna. | La preghiamo di contattare il servizio clienti {carrier}.
nl: Afleverbewijs niet beschikbaar | Voor zending {number} is geen afleverbewijs beschikbaar. | Neem contact op met de klantenservice van {carrier}.
[not_yet]
fr: Votre demande de justificatif | Le colis {number} n'est pas encore livré : le justificatif avec la signature de {name} sera consultable après la livraison. | Réessayez à partir du {day}.
en: Delivery document request | The signature of {name} for {number} cannot be displayed yet. It normally appears within 24 hours of delivery. | Please try again after {day}.
de: Ihre Anfrage zum Ablieferbeleg | Das Paket {number} ist noch nicht zugestellt. Die Unterschrift von {name} kann erst nach der Zustellung angezeigt werden. | Bitte versuchen Sie es ab dem {day} noch einmal.
es: Su solicitud de comprobante | El paquete {number} todavía no ha sido entregado. La firma de {name} podrá consultarse después de la entrega. | Inténtelo de nuevo a partir del {day}.
it: Richiesta del documento di consegna | Il collo {number} non è ancora stato consegnato. La firma di {name} sarà visibile solo dopo la consegna. | Riprovi a partire dal {day}.
nl: Uw aanvraag voor een ontvangstbewijs | Pakket {number} is nog niet bezorgd. De handtekening van {name} is pas na de bezorging te zien. | Probeer het opnieuw vanaf {day}.
[archive_deleted]
fr: Document archivé | Les preuves de livraison sont conservées 90 jours. Celle de l'envoi {number} a été supprimée de nos serveurs. | Aucune copie ne peut plus être éditée.
en: Document no longer stored | Proofs of delivery are kept for 90 days. The document for {number} has been deleted from our archive. | No copy can be issued.
de: Beleg gelöscht | Ablieferbelege werden 90 Tage aufbewahrt. Der Beleg zur Sendung {number} wurde inzwischen gelöscht. | Eine Kopie kann nicht mehr erstellt werden.
es: Documento eliminado | Los comprobantes de entrega se conservan durante 90 días. El del envío {number} ya ha sido eliminado. | No es posible emitir una copia.
it: Documento eliminato | Le prove di consegna sono conservate per 90 giorni. Quella della spedizione {number} è stata cancellata. | Non è più possibile rilasciarne copia.
nl: Document verwijderd | Afleverbewijzen worden 90 dagen bewaard. Het bewijs van zending {number} is inmiddels verwijderd. | Een kopie kan niet meer worden verstrekt.
[no_access]
fr: Accès refusé | Votre compte client n'est pas autorisé à consulter la signature de l'envoi {number}. | Seul le titulaire du contrat peut obtenir ce document.
en: Access denied | Your account is not authorised to view the signature for {number}. | Only the shipper or the payer may retrieve this document.
de: Zugriff verweigert | Ihr Kundenkonto ist nicht berechtigt, die Unterschrift zur Sendung {number} einzusehen. | Nur der Auftraggeber erhält dieses Dokument.
es: Acceso denegado | Su cuenta no está autorizada a ver la firma del envío {number}. | Solo el titular del contrato puede obtener este documento.
it: Accesso negato | Il suo account non è autorizzato a visualizzare la firma della spedizione {number}. | Solo il titolare del contratto può ottenere il documento.
nl: Toegang geweigerd | Uw account is niet bevoegd om de handtekening van zending {number} te bekijken. | Alleen de opdrachtgever kan dit document opvragen.
[server_error]
fr: Une erreur est survenue | Erreur 500. La page /preuve-livraison?numero={number} n'a pas pu être affichée. | Veuillez réessayer ultérieurement. Référence de l'incident : {incident}
en: Something went wrong | Error 500: the page /proof-of-delivery?number={number} could not be displayed. | Please try again later. Incident {incident}
de: Es ist ein Fehler aufgetreten | Fehler 500: Die Seite /zustellnachweis?nummer={number} konnte nicht angezeigt werden. | Bitte versuchen Sie es später erneut. Vorgang {incident}
es: Se ha producido un error | Error 500: no se ha podido mostrar la página /justificante-entrega?numero={number}. | Vuelva a intentarlo más tarde. Incidencia {incident}
it: Si è verificato un errore | Errore 500: impossibile visualizzare la pagina /prova-di-consegna?numero={number}. | Riprovi più tardi. Codice {incident}
nl: Er is iets misgegaan | Fout 500: de pagina /afleverbewijs?nummer={number} kon niet worden getoond. | Probeer het later opnieuw. Incident {incident}
[number_unknown]
fr: Recherche sans résultat | Le numéro {number} est inconnu ou ne figure plus dans notre système. | Vérifiez votre saisie : livré ou non, un colis reste visible trois mois.
en: No results | We could not locate the shipment details for {number}. | Please check the number. Delivered shipments stay visible for three months.
de: Keine Treffer | Zur Nummer {number} wurden keine Daten gefunden. | Bitte prüfen Sie Ihre Eingabe. Zugestellte Pakete bleiben drei Monate sichtbar.
es: Sin resultados | No se ha encontrado ningún envío con el número {number}. | Compruebe el número. Los envíos entregados se pueden consultar durante tres meses.
it: Nessun risultato | Non è stata trovata alcuna spedizione con il numero {number}. | Verifichi il numero. Le spedizioni consegnate restano visibili tre mesi.
nl: Geen resultaten | Er is geen zending gevonden met nummer {number}. | Controleer het nummer. Bezorgde zendingen blijven drie maanden zichtbaar.
[login]
fr: Connexion à votre espace client | Identifiant - Mot de passe - Mot de passe oublié ? | Connectez-vous pour télécharger la preuve de livraison du colis {number}.
en: Sign in to your account | User ID - Password - Forgot your password? | Sign in to download the proof of delivery for {number}.
de: Anmeldung im Kundenportal | Benutzername - Passwort - Passwort vergessen? | Melden Sie sich an, um den Zustellnachweis zu {number} herunterzuladen.
es: Acceso al área de clientes | Usuario - Contraseña - ¿Ha olvidado su contraseña? | Inicie sesión para descargar el justificante de entrega de {number}.
it: Accesso all'area clienti | Nome utente - Password - Password dimenticata? | Acceda per scaricare la prova di consegna della spedizione {number}.
nl: Inloggen op uw account | Gebruikersnaam - Wachtwoord - Wachtwoord vergeten? | Log in om het afleverbewijs van {number} te downloaden.
[cookie_wall]
fr: Votre vie privée nous importe | {carrier} et ses 142 partenaires déposent des cookies pour mesurer l'audience. | Tout accepter - Tout refuser - Paramétrer | Faites votre choix pour afficher la page.
en: We value your privacy | {carrier} and its 142 partners use cookies to measure the audience. | Accept all - Reject all - Settings | Make a choice to continue to the page.
de: Ihre Privatsphäre ist uns wichtig | {carrier} und 142 Partner setzen Cookies zur Reichweitenmessung ein. | Alle akzeptieren - Alle ablehnen - Einstellungen | Bitte treffen Sie eine Auswahl, um die Seite zu öffnen.
es: Su privacidad es importante | {carrier} y sus 142 socios utilizan cookies para medir la audiencia. | Aceptar todo - Rechazar todo - Configurar | Elija una opción para ver la página.
it: La sua privacy è importante | {carrier} e 142 partner utilizzano cookie per misurare il pubblico. | Accetta tutto - Rifiuta tutto - Impostazioni | Scelga un'opzione per aprire la pagina.
nl: Uw privacy is belangrijk | {carrier} en 142 partners gebruiken cookies om het bereik te meten. | Alles accepteren - Alles weigeren - Instellingen | Maak een keuze om de pagina te openen.
[maintenance]
fr: Site en maintenance | Le suivi et les preuves de livraison sont interrompus jusqu'au {long}. | Nous vous prions de nous excuser pour la gêne occasionnée.
en: Scheduled maintenance | Tracking and proof of delivery are down until {long}. | We apologise for the inconvenience.
de: Wartungsarbeiten | Sendungsverfolgung und Zustellnachweise sind bis {long} nicht erreichbar. | Wir bitten um Verständnis.
es: Sitio en mantenimiento | El seguimiento y los justificantes de entrega no funcionarán hasta el {long}. | Disculpe las molestias.
it: Sito in manutenzione | Il tracciamento e le prove di consegna sono sospesi fino al {long}. | Ci scusiamo per il disagio.
nl: Gepland onderhoud | Track & trace en afleverbewijzen zijn tot {long} buiten werking. | Onze excuses voor het ongemak.
[survey]
fr: Votre avis compte | Que pensez-vous du service {carrier} pour le colis {number} ? Le livreur a-t-il été aimable ? | 1 - 2 - 3 - 4 - 5 | Répondre prend deux minutes.
en: Tell us what you think | How would you rate {carrier} for parcel {number}? Was the driver friendly? | 1 - 2 - 3 - 4 - 5 | It takes two minutes.
de: Ihre Meinung zählt | Wie zufrieden sind Sie mit {carrier} beim Paket {number}? War der Fahrer freundlich? | 1 - 2 - 3 - 4 - 5 | Die Umfrage dauert zwei Minuten.
es: Su opinión cuenta | ¿Qué le parece el servicio de {carrier} para el paquete {number}? ¿Fue amable el repartidor? | 1 - 2 - 3 - 4 - 5 | Solo le llevará dos minutos.
it: La sua opinione conta | Come valuta il servizio {carrier} per il pacco {number}? Il corriere è stato gentile? | 1 - 2 - 3 - 4 - 5 | Bastano due minuti.
nl: Uw mening telt | Hoe beoordeelt u {carrier} voor pakket {number}? Was de bezorger vriendelijk? | 1 - 2 - 3 - 4 - 5 | Het kost twee minuten.
[help_page]
fr: Comment obtenir une preuve de livraison ? | La preuve de livraison indique le nom du signataire, la date et l'heure de remise au destinataire. | Saisissez votre numéro de colis, puis cliquez sur « Preuve de livraison » : le document s'ouvre dès que le colis est livré.
en: How do I get a proof of delivery? | A proof of delivery shows who signed, and the date and time of delivery. | Enter your tracking number and choose "Proof of delivery": the document opens once the parcel has been delivered.
de: Wie erhalte ich einen Zustellnachweis? | Der Zustellnachweis zeigt, wer unterschrieben hat, sowie Datum und Uhrzeit der Zustellung. | Geben Sie Ihre Paketnummer ein und wählen Sie "Zustellnachweis": Das Dokument öffnet sich, sobald das Paket zugestellt wurde.
es: ¿Cómo obtengo un justificante de entrega? | El justificante indica quién firmó, la fecha y la hora de la entrega. | Introduzca su número de envío y elija "Justificante": el documento se abre cuando el paquete ha sido entregado.
it: Come ottengo una prova di consegna? | La prova di consegna indica chi ha firmato, la data e l'ora della consegna. | Inserisca il numero di spedizione e scelga "Prova di consegna": il documento si apre quando il pacco è stato consegnato.
nl: Hoe krijg ik een afleverbewijs? | Op het afleverbewijs staat wie heeft getekend, met datum en tijd van de bezorging. | Vul uw zendingsnummer in en kies "Afleverbewijs": het document opent zodra het pakket is bezorgd.
[claim_open]
fr: Accusé de réception de votre réclamation | Nous avons bien reçu le {day} votre réclamation sur le colis {number} : {name} déclare ne rien avoir reçu. | Une enquête est ouverte auprès de l'agence de {town}. Réponse sous 21 jours.
en: We have received your claim | On {day} you reported that {name} did not receive parcel {number}. | We are investigating with our depot in {town} and will reply within 21 days.
de: Eingangsbestätigung Ihrer Reklamation | Am {day} haben Sie gemeldet, dass {name} das Paket {number} nicht erhalten hat. | Wir haben im Depot {town} eine Nachforschung eingeleitet und antworten innerhalb von 21 Tagen.
es: Hemos recibido su reclamación | El {day} nos comunicó que {name} no ha recibido el paquete {number}. | Hemos abierto una investigación en la delegación de {town}. Responderemos en 21 días.
it: Abbiamo ricevuto il suo reclamo | Il {day} ci ha segnalato che {name} non ha ricevuto il pacco {number}. | La filiale di {town} sta svolgendo le ricerche. Risponderemo entro 21 giorni.
nl: Wij hebben uw klacht ontvangen | Op {day} meldde u dat {name} pakket {number} niet heeft ontvangen. | Wij doen navraag bij depot {town} en antwoorden binnen 21 dagen.
[refused]
fr: Avis de refus | Le {long}, {name} a refusé le colis {number} à {town}. | Le colis n'a pas été remis ; il repart vers l'expéditeur.
en: Refused shipment | On {long}, {name} in {town} refused parcel {number}. | The parcel was not handed over and is on its way back to the shipper.
de: Annahme verweigert | Am {long} hat {name} in {town} die Annahme des Pakets {number} verweigert. | Das Paket wurde nicht übergeben und geht an den Absender zurück.
es: Envío rechazado | El {long}, {name} rechazó el paquete {number} en {town}. | El paquete no fue entregado y vuelve al remitente.
it: Spedizione rifiutata | Il {long} {name} ha rifiutato il pacco {number} a {town}. | Il pacco non è stato consegnato e torna al mittente.
nl: Zending geweigerd | Op {long} heeft {name} in {town} pakket {number} geweigerd. | Het pakket is niet overhandigd en gaat terug naar de afzender.
[returned]
fr: Retour à l'expéditeur | Le colis {number} n'a pas pu être distribué à {name}, {town}. | Il a été livré en retour à l'expéditeur, {sender}, le {long}. Signataire du retour : {sender_clerk}.
en: Returned to sender | Parcel {number} could not be delivered to {name} in {town}. | It was delivered back to the shipper, {sender}, on {long}. Return signed for by {sender_clerk}.
de: Rücksendung an den Absender | Das Paket {number} konnte {name} in {town} nicht zugestellt werden. | Es wurde am {long} an den Absender {sender} zurückgegeben. Die Rücksendung nahm {sender_clerk} an.
es: Devuelto al remitente | El paquete {number} no pudo entregarse a {name} en {town}. | Fue devuelto y entregado al remitente, {sender}, el {long}. Devolución firmada por {sender_clerk}.
it: Reso al mittente | Il pacco {number} non ha potuto essere consegnato a {name}, {town}. | È stato riconsegnato al mittente, {sender}, il {long}. Reso firmato da {sender_clerk}.
nl: Retour afzender | Pakket {number} kon niet worden bezorgd bij {name} in {town}. | Het is op {long} terugbezorgd bij de afzender, {sender}. Voor de retour tekende {sender_clerk}.
[appointment]
fr: Votre livraison approche | Bonjour {name}, votre colis {number} sera livré le {day} entre 9h00 et 12h00 au {street}, {town}. | Préparez une pièce d'identité : une signature vous sera demandée.
en: Your delivery is on its way | Hello {name}, your parcel {number} will be delivered on {day} between 9:00 and 12:00 at {street}, {town}. | Please have your ID ready: you will be asked to sign.
de: Ihr Paket kommt bald | Guten Tag {name}, Ihr Paket {number} wird am {day} zwischen 9:00 und 12:00 Uhr zugestellt: {street}, {town}. | Halten Sie bitte Ihren Ausweis bereit, Sie müssen unterschreiben.
es: Su entrega está en camino | Hola, {name}: su paquete {number} se entregará el {day} entre las 9:00 y las 12:00 en {street}, {town}. | Tenga a mano su DNI: se le pedirá una firma.
it: La sua consegna è in arrivo | Buongiorno {name}, il pacco {number} sarà consegnato il {day} tra le 9:00 e le 12:00 in {street}, {town}. | Tenga pronto un documento: le sarà chiesta una firma.
nl: Uw pakket is onderweg | Beste {name}, uw pakket {number} wordt op {day} tussen 9:00 en 12:00 uur bezorgd op {street}, {town}. | Houd uw legitimatie klaar: u moet tekenen.
[absent]
fr: Avis de passage | Destinataire absent le {long}. Votre colis {number} n'a pas pu vous être remis. | {name}, {street}, {town} : choisissez un nouveau créneau.
en: Sorry we missed you | We called on {long} but nobody was in. Parcel {number} was not delivered. | {name}, {street}, {town}: please choose a new date.
de: Benachrichtigung | Wir haben Sie am {long} leider nicht angetroffen. Das Paket {number} wurde nicht zugestellt. | {name}, {street}, {town}: Bitte wählen Sie einen neuen Termin.
es: Aviso de llegada | Destinatario ausente el {long}. El paquete {number} no pudo ser entregado. | {name}, {street}, {town}: elija una nueva fecha.
it: Avviso di passaggio | Destinatario assente il {long}. Il pacco {number} non è stato consegnato. | {name}, {street}, {town}: scelga una nuova data.
nl: Niet thuis | Wij hebben u op {long} niet thuis aangetroffen. Pakket {number} is niet bezorgd. | {name}, {street}, {town}: kies een nieuwe datum.
[at_pickup_point]
fr: Votre colis vous attend | Le colis {number} est disponible depuis le {day} au point relais {shop}, {town}. | {name} doit présenter une pièce d'identité. Sans retrait sous 14 jours, il sera renvoyé.
en: Ready for collection | Parcel {number} has been waiting since {day} at {shop}, {town}. | {name} must show an ID. If nobody collects it within 14 days, it goes back.
de: Abholbereit | Das Paket {number} liegt seit dem {day} im Paketshop {shop}, {town}, zur Abholung bereit. | {name} muss einen Ausweis vorlegen. Nach 14 Tagen geht es zurück.
es: Listo para recoger | El paquete {number} está disponible desde el {day} en el punto {shop}, {town}. | {name} debe presentar su DNI. Pasados 14 días será devuelto.
it: Pronto per il ritiro | Il pacco {number} è in giacenza dal {day} presso {shop}, {town}. | {name} deve presentare un documento. Trascorsi 14 giorni sarà reso.
nl: Klaar om op te halen | Pakket {number} ligt sinds {day} klaar bij {shop}, {town}. | {name} moet een legitimatie tonen. Na 14 dagen gaat het retour.
[leave_permission]
fr: Autorisation de dépôt | Je soussigné(e) {name}, {street}, {town}, autorise {carrier} à déposer mes colis, dont le {number}, dans mon garage en mon absence. | Cette autorisation, valable à partir du {day}, remplace ma signature.
en: Permission to leave parcels | I, {name}, {street}, {town}, authorise {carrier} to leave my parcels, including {number}, in my garage when I am away. | Valid from {day}. This permission replaces my signature.
de: Abstellgenehmigung | Ich, {name}, {street}, {town}, erlaube {carrier}, meine Pakete, auch {number}, bei Abwesenheit in der Garage abzustellen. | Gültig ab {day}. Die Genehmigung ersetzt meine Unterschrift.
es: Autorización de depósito | Yo, {name}, {street}, {town}, autorizo a {carrier} a dejar mis paquetes, incluido el {number}, en mi garaje cuando no esté. | Válida desde el {day}. Sustituye a mi firma.
it: Autorizzazione al deposito | Il sottoscritto {name}, {street}, {town}, autorizza {carrier} a lasciare i pacchi, compreso {number}, nel garage in caso di assenza. | Valida dal {day}. Sostituisce la firma.
nl: Toestemming voor afzetten | Ik, {name}, {street}, {town}, geef {carrier} toestemming om mijn pakketten, ook {number}, bij afwezigheid in de garage te zetten. | Geldig vanaf {day}. Dit vervangt mijn handtekening.
[data_only]
fr: Suivi de votre envoi | {number} | Les informations d'expédition ont été transmises par {sender} le {long}. {carrier} n'a pas encore pris en charge le colis.
en: Shipment status | {number} | Shipping information received from {sender} on {long}. {carrier} does not have the parcel yet.
de: Sendungsstatus | {number} | Die Sendungsdaten wurden am {long} von {sender} übermittelt. {carrier} hat das Paket noch nicht erhalten.
es: Estado del envío | {number} | {sender} nos ha comunicado los datos el {long}. {carrier} aún no ha recibido el paquete.
it: Stato della spedizione | {number} | I dati sono stati trasmessi da {sender} il {long}. {carrier} non ha ancora ricevuto il pacco.
nl: Status van uw zending | {number} | De gegevens zijn op {long} aangemeld door {sender}. {carrier} heeft het pakket nog niet ontvangen.
[pickup_receipt]
fr: Reçu d'enlèvement | Le {long}, {carrier} a enlevé chez l'expéditeur {sender} le colis {number}, destiné à {name}, {town}. | Remis au chauffeur par {sender_clerk}. Signature de l'expéditeur :
en: Collection receipt | On {long}, {carrier} collected parcel {number} for {name}, {town}, from the sender {sender}. | Handed to the driver by {sender_clerk}. Sender's signature:
de: Abholbeleg | Am {long} hat {carrier} beim Absender {sender} das Paket {number} für {name}, {town}, abgeholt. | Dem Fahrer übergeben von {sender_clerk}. Unterschrift des Absenders:
es: Resguardo de recogida | El {long}, {carrier} recogió en casa del remitente {sender} el paquete {number}, con destino a {name}, {town}. | Lo dio al conductor {sender_clerk}. Firma del remitente:
it: Ricevuta di ritiro | Il {long} {carrier} ha ritirato presso il mittente {sender} il pacco {number} destinato a {name}, {town}. | Affidato all'autista da {sender_clerk}. Firma del mittente:
nl: Ophaalbewijs | Op {long} heeft {carrier} bij de afzender {sender} pakket {number} voor {name}, {town}, opgehaald. | Meegegeven aan de chauffeur door {sender_clerk}. Handtekening van de afzender:
[terms]
fr: Conditions générales de vente | Article 7 - Livraison. Le colis est livré contre signature du destinataire ou d'une personne présente à l'adresse. La signature numérisée vaut preuve de livraison. | Article 8 - Retards. Tout retard de livraison ouvre droit au remboursement du port. | Article 9 - Réclamations. Elles sont adressées dans les trois jours suivant la date de livraison. | Version du {day}
en: General terms of carriage | 7. Delivery. The parcel is delivered against the signature of the consignee or of any person present at the address. The digital signature is proof of delivery. | 8. Delay. A late delivery entitles the shipper to a refund of the charges. | 9. Claims must be sent within three days of the date of delivery. | Edition of {day}
de: Allgemeine Geschäftsbedingungen | 7. Zustellung. Das Paket wird gegen Unterschrift des Empfängers oder einer anwesenden Person zugestellt. Die digitale Unterschrift gilt als Zustellnachweis. | 8. Verspätung. Bei verspäteter Zustellung wird das Porto erstattet. | 9. Reklamationen sind binnen drei Tagen nach dem Zustelldatum einzureichen. | Stand {day}
es: Condiciones generales de transporte | 7. Entrega. El paquete se entrega contra la firma del destinatario o de una persona presente. La firma digital constituye prueba de entrega. | 8. Retraso. Una entrega tardía da derecho al reembolso del porte. | 9. Las reclamaciones se presentarán en los tres días siguientes a la fecha de entrega. | Edición del {day}
it: Condizioni generali di trasporto | 7. Consegna. Il pacco viene consegnato contro firma del destinatario o di una persona presente. La firma digitale costituisce prova di consegna. | 8. Ritardo. La consegna tardiva dà diritto al rimborso del porto. | 9. I reclami vanno inviati entro tre giorni dalla data di consegna. | Edizione del {day}
nl: Algemene vervoersvoorwaarden | 7. Aflevering. Het pakket wordt afgeleverd tegen handtekening van de ontvanger of een aanwezige persoon. De digitale handtekening geldt als afleverbewijs. | 8. Vertraging. Bij late bezorging worden de kosten terugbetaald. | 9. Klachten worden binnen drie dagen na de bezorgdatum ingediend. | Versie van {day}
[partial]
fr: Livraison partielle : 1 colis sur 2 | Colis {other} : livré le {long} à {name}, {town}. | Colis {number} : manquant, non livré. Une recherche est en cours.
en: Partial delivery: 1 of 2 parcels | Parcel {other}: delivered on {long} to {name}, {town}. | Parcel {number}: missing, not delivered. A search is under way.
de: Teilzustellung: 1 von 2 Paketen | Paket {other}: zugestellt am {long} an {name}, {town}. | Paket {number}: fehlt, nicht zugestellt. Die Nachforschung läuft.
es: Entrega parcial: 1 de 2 bultos | Bulto {other}: entregado el {long} a {name}, {town}. | Bulto {number}: falta, no entregado. Se está buscando.
it: Consegna parziale: 1 collo su 2 | Collo {other}: consegnato il {long} a {name}, {town}. | Collo {number}: mancante, non consegnato. Ricerca in corso.
nl: Deellevering: 1 van 2 pakketten | Pakket {other}: bezorgd op {long} bij {name}, {town}. | Pakket {number}: ontbreekt, niet bezorgd. Er wordt gezocht.
""")
PAPERS = _parse("""
[transit]
fr: En transit | Colis pris en charge par {carrier} | Trié sur la plateforme | En cours de livraison | Livraison prévue le {day}, contre signature
en: In transit | Picked up by {carrier} | Arrived at hub | Out for delivery | Estimated delivery {day}, signature required
de: Unterwegs | Paket von {carrier} übernommen | Im Verteilzentrum bearbeitet | In Zustellung | Voraussichtliche Zustellung am {day}, gegen Unterschrift
es: En tránsito | Recogido por {carrier} | Clasificado en el centro | En reparto | Entrega prevista el {day}, con firma
it: In transito | Preso in carico da {carrier} | Arrivato in filiale | In consegna | Consegna prevista il {day}, con firma
nl: Onderweg | Door {carrier} in ontvangst genomen | Gesorteerd in het depot | Chauffeur is onderweg | Verwachte bezorging {day}, met handtekening
[label]
fr: Étiquette de transport | Destinataire | Expéditeur | Contre signature
en: Shipping label | Ship to | Ship from | Signature required
de: Versandetikett | Empfänger | Absender | Nur gegen Unterschrift
es: Etiqueta de envío | Destinatario | Remitente | Con firma
it: Etichetta di spedizione | Destinatario | Mittente | Con firma
nl: Verzendlabel | Ontvanger | Afzender | Handtekening vereist
[form]
fr: Bon de livraison à compléter | Nom du réceptionnaire | Date et heure de livraison | Signature et cachet
en: Delivery receipt (to be completed) | Received by (print name) | Delivery date and time | Signature
de: Ablieferbeleg (bitte ausfüllen) | Name des Empfängers | Datum und Uhrzeit der Zustellung | Unterschrift
es: Albarán de entrega (para rellenar) | Nombre de quien recibe | Fecha y hora de entrega | Firma y sello
it: Ricevuta di consegna (da compilare) | Nome di chi riceve | Data e ora di consegna | Firma e timbro
nl: Afleverbon (in te vullen) | Naam ontvanger | Datum en tijd van aflevering | Handtekening
[invoice]
fr: Facture | Date de facture | Désignation | Montant HT | Frais de livraison
en: Invoice | Invoice date | Description | Net amount | Delivery charge
de: Rechnung | Rechnungsdatum | Bezeichnung | Nettobetrag | Zustellgebühr
es: Factura | Fecha de factura | Concepto | Importe neto | Gastos de entrega
it: Fattura | Data fattura | Descrizione | Importo netto | Spese di consegna
nl: Factuur | Factuurdatum | Omschrijving | Nettobedrag | Bezorgkosten
[customs]
fr: Déclaration en douane CN 23 | Contenu | Valeur | Je certifie l'exactitude de cette déclaration. Date et signature de l'expéditeur
en: Customs declaration CN 23 | Contents | Value | I certify that the particulars are correct. Date and sender's signature
de: Zollinhaltserklärung CN 23 | Inhalt | Wert | Ich bestätige die Richtigkeit der Angaben. Datum und Unterschrift des Absenders
es: Declaración de aduana CN 23 | Contenido | Valor | Certifico que los datos son correctos. Fecha y firma del remitente
it: Dichiarazione doganale CN 23 | Contenuto | Valore | Certifico l'esattezza dei dati. Data e firma del mittente
nl: Douaneaangifte CN 23 | Inhoud | Waarde | Ik verklaar dat de gegevens juist zijn. Datum en handtekening van de afzender
[manifest]
fr: Bordereau de remise au transporteur | Colis remis par {sender} au chauffeur {carrier} le {day} | Visa du chauffeur
en: Shipper's manifest | Parcels handed by {sender} to the {carrier} driver on {day} | Driver's signature
de: Übergabeliste an den Frachtführer | Von {sender} am {day} an den Fahrer von {carrier} übergebene Pakete | Unterschrift des Fahrers
es: Manifiesto de recogida | Bultos que {sender} dio al conductor de {carrier} el {day} | Firma del conductor
it: Distinta di ritiro | Colli affidati da {sender} all'autista {carrier} il {day} | Firma dell'autista
nl: Verzendlijst | Pakketten door {sender} op {day} meegegeven aan de chauffeur van {carrier} | Handtekening chauffeur
""")
PROOFS = _parse("""
[letter]
fr: Nous vous confirmons que le colis {number} a été livré le {long} à {town}. | Il a été réceptionné par {name}.
en: We confirm that parcel {number} was delivered on {long} in {town}. | It was signed for by {name}.
de: Wir bestätigen, dass das Paket {number} am {long} in {town} zugestellt wurde. | Die Annahme bestätigte {name} mit Unterschrift.
es: Confirmamos que el paquete {number} fue entregado el {long} en {town}. | Fue recibido por {name}.
it: Confermiamo che il pacco {number} è stato consegnato il {long} a {town}. | È stato ritirato e firmato da {name}.
nl: Wij bevestigen dat pakket {number} op {long} in {town} is bezorgd. | Voor ontvangst tekende {name}.
[locker]
fr: Consigne automatique {shop}, {town} | Colis {number} retiré par {name} le {long} avec son code de retrait.
en: Parcel locker {shop}, {town} | Parcel {number} was collected by {name} on {long} with the collection code.
de: Packstation {shop}, {town} | Paket {number} wurde am {long} von {name} mit dem Abholcode entnommen.
es: Taquilla {shop}, {town} | El paquete {number} fue retirado por {name} el {long} con su código de recogida.
it: Locker {shop}, {town} | Il pacco {number} è stato ritirato da {name} il {long} con il codice di ritiro.
nl: Pakketautomaat {shop}, {town} | Pakket {number} is op {long} opgehaald door {name} met de afhaalcode.
[neighbour]
fr: Colis {number} livré chez un voisin | Remis le {long} à {name}, {street}, {town}, qui a signé.
en: Parcel {number} delivered to a neighbour | Handed over on {long} to {name}, {street}, {town}, who signed for it.
de: Paket {number} beim Nachbarn zugestellt | Übergeben am {long} an {name}, {street}, {town}, mit Unterschrift.
es: Paquete {number} entregado a un vecino | Se entregó el {long} a {name}, {street}, {town}, que firmó.
it: Pacco {number} consegnato al vicino | Consegnato il {long} a {name}, {street}, {town}, che ha firmato.
nl: Pakket {number} bezorgd bij de buren | Afgegeven op {long} aan {name}, {street}, {town}, die heeft getekend.
[pickup_point]
fr: Point relais {shop}, {town} - reçu de retrait | Le destinataire {name} a retiré le colis {number} le {long}. Pièce d'identité vérifiée.
en: Pickup point {shop}, {town} - collection by the recipient | The recipient {name} collected parcel {number} on {long}. ID checked.
de: Paketshop {shop}, {town} - Auslieferung | Der Empfänger {name} hat das Paket {number} am {long} abgeholt. Ausweis geprüft.
es: Punto de recogida {shop}, {town} - entrega | El destinatario {name} recogió el paquete {number} el {long}. DNI comprobado.
it: Punto di ritiro {shop}, {town} - consegna | Il destinatario {name} ha ritirato il pacco {number} il {long}. Documento verificato.
nl: Afhaalpunt {shop}, {town} - uitgereikt | De ontvanger {name} heeft pakket {number} op {long} opgehaald. Legitimatie gecontroleerd.
[attempt]
fr: Destinataire absent, avis déposé | Livré à {name}
en: Nobody home, card left | Delivered to {name}
de: Empfänger nicht angetroffen | Zugestellt an {name}
es: Destinatario ausente | Entregado a {name}
it: Destinatario assente, lasciato avviso | Consegnato a {name}
nl: Ontvanger niet thuis | Bezorgd bij {name}
[unsigned]
fr: Aucune signature n'était requise pour cet envoi.
en: No signature was required for this shipment.
de: Für diese Sendung war keine Unterschrift erforderlich.
es: Este envío no requería firma.
it: Per questa spedizione non era richiesta la firma.
nl: Voor deze zending was geen handtekening nodig.
[conform]
fr: Reçu 1 colis en bon état
en: 1 parcel received in good order
de: 1 Paket in gutem Zustand erhalten
es: Recibido 1 bulto en buen estado
it: Ricevuto 1 collo in buone condizioni
nl: 1 pakket in goede staat ontvangen
""")
