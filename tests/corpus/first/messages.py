"""What carriers' sites and letters say when they have no proof: by kind and language, title and body split by a bar.

The bodies take the same names in braces as those of `words`. Which states a parcel passes and how they are explained
follows the carriers' public help pages (UPS InfoNotice, GLS parcel states, DHL pages on receipts).
"""

MESSAGES: dict[str, dict[str, tuple[str, ...]]] = {
    "error_page": {
        "fr": ("Erreur 404|La page demandée est introuvable.", "Une erreur est survenue|Nous n'avons pas pu traiter votre demande pour le colis {number}. Veuillez réessayer plus tard.", "Erreur technique|Le document n'a pas pu être généré (code E-5012)."),
        "en": ("404 Not Found|The page you requested could not be found.", "Something went wrong|We could not process your request for {number}. Please try again later.", "Internal Server Error|The document could not be generated (reference 7f31)."),
        "de": ("Fehler 404|Die angeforderte Seite wurde nicht gefunden.", "Ein Fehler ist aufgetreten|Ihre Anfrage zur Sendung {number} konnte nicht bearbeitet werden. Bitte versuchen Sie es später erneut.", "Interner Fehler|Das Dokument konnte nicht erstellt werden."),
        "es": ("Error 404|No se encuentra la página solicitada.", "Se ha producido un error|No hemos podido procesar su solicitud sobre el envío {number}. Inténtelo más tarde.", "Error interno|No se pudo generar el documento."),
        "it": ("Errore 404|La pagina richiesta non esiste.", "Si è verificato un errore|Non è stato possibile elaborare la richiesta per la spedizione {number}. Riprova più tardi.", "Errore interno|Impossibile generare il documento."),
        "nl": ("Fout 404|De gevraagde pagina is niet gevonden.", "Er is iets misgegaan|Uw aanvraag voor pakket {number} kon niet worden verwerkt. Probeer het later opnieuw.", "Interne fout|Het document kon niet worden aangemaakt."),
    },
    "login_page": {
        "fr": ("Connexion|Identifiez-vous pour consulter la preuve de livraison du colis {number}. Adresse e-mail. Mot de passe oublié ?", "Session expirée|Votre session a expiré. Veuillez vous reconnecter à votre espace client."),
        "en": ("Log in|Sign in to see the proof of delivery of {number}. Email address. Forgot your password?", "Session expired|Your session has timed out. Please log in again."),
        "de": ("Anmeldung|Bitte melden Sie sich an, um den Zustellnachweis zu {number} abzurufen. Benutzername. Passwort vergessen?", "Sitzung abgelaufen|Ihre Sitzung ist abgelaufen. Bitte melden Sie sich erneut an."),
        "es": ("Iniciar sesión|Identifíquese para ver el comprobante de entrega de {number}. ¿Ha olvidado su contraseña?", "Sesión caducada|Su sesión ha caducado. Vuelva a iniciar sesión."),
        "it": ("Accedi|Effettua l'accesso per vedere la prova di consegna di {number}. Hai dimenticato la password?", "Sessione scaduta|La sessione è scaduta. Effettua di nuovo l'accesso."),
        "nl": ("Inloggen|Log in om het afleverbewijs van {number} te bekijken. Wachtwoord vergeten?", "Sessie verlopen|Uw sessie is verlopen. Log opnieuw in."),
    },
    "not_available": {
        "fr": ("Preuve de livraison|Aucune preuve de livraison n'est disponible pour le colis {number}.", "Preuve de livraison|La preuve de livraison de l'envoi {number} n'est pas disponible.", "Preuve de livraison {number}|Document indisponible.", "Information|Nous ne disposons d'aucune signature pour cet envoi ({number}).", "Preuve introuvable|Il n'existe pas de preuve de livraison correspondant à {number}."),
        "en": ("Proof of Delivery|No proof of delivery is available for {number}.", "Proof of Delivery|The proof of delivery for shipment {number} could not be found.", "Signature {number}|Signature image unavailable.", "Delivery document|There is no signature on file for tracking number {number}.", "Proof of Delivery|POD not available. Tracking number: {number}"),
        "de": ("Zustellnachweis|Für die Sendung {number} liegt kein Zustellnachweis vor.", "Zustellnachweis|Der Ablieferbeleg zu {number} ist nicht verfügbar.", "Unterschrift|Zu dieser Sendung ({number}) ist keine Unterschrift hinterlegt.", "Ablieferbeleg {number}|Kein Beleg gefunden."),
        "es": ("Comprobante de entrega|No hay comprobante de entrega disponible para el envío {number}.", "Comprobante de entrega|El comprobante de entrega de {number} no está disponible.", "Firma|No disponemos de la firma del destinatario ({number}).", "Prueba de entrega {number}|Documento no encontrado."),
        "it": ("Prova di consegna|Nessuna prova di consegna disponibile per la spedizione {number}.", "Prova di consegna|La prova di consegna di {number} non è disponibile.", "Firma|Per questa spedizione ({number}) non è presente alcuna firma.", "POD {number}|Documento non trovato."),
        "nl": ("Afleverbewijs|Er is geen afleverbewijs beschikbaar voor pakket {number}.", "Afleverbewijs|Het afleverbewijs van {number} is niet beschikbaar.", "Handtekening|Voor deze zending ({number}) is geen handtekening vastgelegd.", "Afleverbewijs {number}|Document niet gevonden."),
    },
    "available_later": {
        "fr": ("Preuve de livraison|La preuve de livraison du colis {number} sera disponible sous 48 heures.", "Preuve de livraison|Le document n'est pas encore disponible pour {number}. Merci de revenir ultérieurement."),
        "en": ("Proof of Delivery|The proof of delivery for {number} will be available within 48 hours of delivery.", "Proof of Delivery|Your document is not available yet for {number}. Please check again tomorrow."),
        "de": ("Zustellnachweis|Der Zustellnachweis zur Sendung {number} steht innerhalb von 48 Stunden nach Zustellung zur Verfügung.", "Zustellnachweis|Der Beleg zu {number} ist noch nicht verfügbar. Bitte versuchen Sie es morgen erneut."),
        "es": ("Comprobante de entrega|El comprobante de entrega de {number} estará disponible en un plazo de 48 horas.", "Comprobante de entrega|El documento de {number} aún no está disponible. Vuelva a consultarlo más tarde."),
        "it": ("Prova di consegna|La prova di consegna di {number} sarà disponibile entro 48 ore dalla consegna.", "Prova di consegna|Il documento di {number} non è ancora disponibile. Riprovare più tardi."),
        "nl": ("Afleverbewijs|Het afleverbewijs van {number} is binnen 48 uur na bezorging beschikbaar.", "Afleverbewijs|Het document van {number} is nog niet beschikbaar. Probeer het morgen opnieuw."),
    },
    "out_for_delivery": {
        "fr": ("Suivi {number}|Votre colis {number} est en cours de livraison. Il sera livré aujourd'hui avant 18h00, {place}.",),
        "en": ("Tracking {number}|Your parcel {number} is out for delivery. It will be delivered in {place} by the end of the day.",),
        "de": ("Sendung {number}|Ihre Sendung {number} befindet sich in Zustellung und wird heute in {place} zugestellt.",),
        "es": ("Seguimiento {number}|Su envío {number} está en reparto. Se entregará hoy en {place}.",),
        "it": ("Spedizione {number}|La spedizione {number} è in consegna. Sarà consegnata oggi a {place}.",),
        "nl": ("Pakket {number}|Uw pakket {number} is onderweg met de bezorger en wordt vandaag in {place} bezorgd.",),
    },
    "at_pickup_point": {
        "fr": ("Suivi {number}|Votre colis vous attend au point relais de {place}. Présentez une pièce d'identité pour le retirer. Disponible jusqu'au {date}.",),
        "en": ("Tracking {number}|Parcel {number} is ready for collection at the pick-up point in {place}. Keep your ID at hand. Held until {date}.",),
        "de": ("Sendung {number}|Ihre Sendung liegt zur Abholung im Paketshop in {place} bereit. Lagerfrist bis {date}.",),
        "es": ("Seguimiento {number}|Su paquete {number} le espera en el punto de recogida de {place}. Disponible hasta el {date}.",),
        "it": ("Spedizione {number}|Il collo {number} è in giacenza presso il punto di ritiro di {place} e può essere ritirato fino al {date}.",),
        "nl": ("Pakket {number}|Uw pakket ligt klaar bij het afhaalpunt in {place}. U kunt het ophalen tot {date}.",),
    },
    "notice_left": {
        "fr": ("Avis de passage|Le {date}, notre livreur n'a pas pu vous remettre le colis {number} : destinataire absent. Un avis de passage a été déposé à {place}.",),
        "en": ("Delivery attempt|We tried to deliver parcel {number} on {date} in {place}, but nobody was in. A notice was left.",),
        "de": ("Benachrichtigung|Zustellversuch am {date} in {place}: Empfänger nicht angetroffen. Sendung {number} konnte nicht zugestellt werden, eine Benachrichtigungskarte wurde hinterlassen.",),
        "es": ("Aviso de paso|El {date} intentamos entregar el envío {number} en {place}, pero el destinatario estaba ausente. Se dejó aviso.",),
        "it": ("Avviso di giacenza|Il {date} abbiamo tentato la consegna del collo {number} a {place}: destinatario assente. È stato lasciato un avviso.",),
        "nl": ("Niet thuis|Op {date} hebben wij geprobeerd pakket {number} in {place} te bezorgen, maar er was niemand thuis. Er is een bericht achtergelaten.",),
    },
    "returned": {
        "fr": ("Suivi {number}|Le colis {number} est retourné à l'expéditeur. Motif : refusé par le destinataire. Retour en cours depuis le {date}.",),
        "en": ("Tracking {number}|Parcel {number} is being returned to the sender since {date}. Reason: refused by the recipient.",),
        "de": ("Sendung {number}|Die Sendung {number} wird seit {date} an den Absender zurückgesandt. Grund: Annahme verweigert.",),
        "es": ("Seguimiento {number}|El envío {number} se devuelve al remitente desde el {date}. Motivo: rechazado por el destinatario.",),
        "it": ("Spedizione {number}|La spedizione {number} è in ritorno al mittente dal {date}. Motivo: rifiutata dal destinatario.",),
        "nl": ("Pakket {number}|Pakket {number} gaat sinds {date} retour naar de afzender. Reden: geweigerd door de ontvanger.",),
    },
    "customs": {
        "fr": ("Suivi {number}|Votre envoi {number} est en attente de dédouanement depuis le {date}. Des droits et taxes sont à payer.",),
        "en": ("Tracking {number}|Shipment {number} is awaiting customs clearance since {date}. Duties and taxes are due.",),
        "de": ("Sendung {number}|Die Sendung {number} wartet seit {date} auf die Zollabfertigung. Es fallen Einfuhrabgaben an.",),
        "es": ("Seguimiento {number}|El envío {number} está pendiente de despacho de aduanas desde el {date}.",),
        "it": ("Spedizione {number}|La spedizione {number} è in attesa di sdoganamento dal {date}. Sono dovuti dazi e tasse.",),
        "nl": ("Pakket {number}|Zending {number} wacht sinds {date} op inklaring door de douane.",),
    },
    "cookie_wall": {
        "fr": ("Votre vie privée|Nous utilisons des cookies pour mesurer l'audience. Tout accepter. Tout refuser. Paramétrer.",),
        "en": ("Your privacy|We use cookies to improve your experience. Accept all. Reject all. Manage preferences.",),
        "de": ("Ihre Privatsphäre|Wir verwenden Cookies. Alle akzeptieren. Nur notwendige Cookies. Einstellungen.",),
        "es": ("Su privacidad|Utilizamos cookies propias y de terceros. Aceptar todas. Rechazar todas. Configurar.",),
        "it": ("La tua privacy|Utilizziamo i cookie. Accetta tutti. Rifiuta tutti. Gestisci le preferenze.",),
        "nl": ("Uw privacy|Wij gebruiken cookies. Alles accepteren. Weigeren. Voorkeuren instellen.",),
    },
    "maintenance": {
        "fr": ("Maintenance en cours|Le service de suivi est momentanément indisponible. Retour prévu le {date}.",),
        "en": ("Scheduled maintenance|The tracking service is temporarily unavailable. We expect to be back on {date}.",),
        "de": ("Wartungsarbeiten|Die Sendungsverfolgung ist vorübergehend nicht erreichbar, voraussichtlich bis {date}.",),
        "es": ("Mantenimiento|El servicio de seguimiento no está disponible temporalmente. Volveremos el {date}.",),
        "it": ("Manutenzione|Il servizio è temporaneamente sospeso. Ripresa prevista il {date}.",),
        "nl": ("Onderhoud|De dienst is tijdelijk niet beschikbaar. Wij verwachten terug te zijn op {date}.",),
    },
    "captcha": {
        "fr": ("Vérification|Confirmez que vous n'êtes pas un robot pour continuer. Sélectionnez toutes les images contenant un camion.",),
        "en": ("Security check|Please verify that you are human. Select all images with a truck. Your request {number} is on hold.",),
        "de": ("Sicherheitsprüfung|Bitte bestätigen Sie, dass Sie kein Roboter sind. Wählen Sie alle Bilder mit einem Lastwagen aus.",),
        "es": ("Comprobación de seguridad|Confirme que no es un robot. Seleccione todas las imágenes con un camión.",),
        "it": ("Controllo di sicurezza|Conferma di non essere un robot. Seleziona tutte le immagini con un camion.",),
        "nl": ("Beveiligingscontrole|Bevestig dat u geen robot bent. Selecteer alle afbeeldingen met een vrachtwagen.",),
    },
    "marketing": {
        "fr": ("-20 % sur vos envois|Plus de 500 000 colis livrés et signés chaque jour ! Offre valable jusqu'au {date} à {place}. J'en profite.",),
        "en": ("20% off your next parcel|Over 500,000 parcels delivered and signed for every day. Book before {date} in {place}. Order now.",),
        "de": ("20 % Rabatt|Täglich über 500.000 Pakete zugestellt und quittiert. Angebot gültig bis {date} in {place}. Jetzt versenden.",),
        "es": ("20 % de descuento|Más de 500.000 paquetes entregados y firmados cada día. Oferta válida hasta el {date}. Envíe ahora.",),
        "it": ("Sconto del 20 %|Oltre 500.000 colli consegnati e firmati ogni giorno. Offerta valida fino al {date}. Spedisci ora.",),
        "nl": ("20% korting|Elke dag ruim 500.000 pakketten bezorgd en getekend. Aanbieding geldig tot {date}. Verstuur nu.",),
    },
    "survey": {
        "fr": ("Votre avis compte|Comment s'est passée votre livraison ? Notez {carrier} de 1 à 5. Colis {number}.",),
        "en": ("How did we do?|Tell us about your delivery experience. Rate {carrier} from 1 to 5. Parcel {number}.",),
        "de": ("Ihre Meinung zählt|Wie zufrieden waren Sie mit der Zustellung? Bewerten Sie {carrier} von 1 bis 5. Sendung {number}.",),
        "es": ("Su opinión nos importa|¿Cómo fue su entrega? Valore a {carrier} de 1 a 5. Envío {number}.",),
        "it": ("La tua opinione|Come è andata la consegna? Valuta {carrier} da 1 a 5. Spedizione {number}.",),
        "nl": ("Wat vindt u van ons?|Hoe verliep de bezorging? Geef {carrier} een cijfer van 1 tot 5. Pakket {number}.",),
    },
    "announced": {
        "fr": ("Votre livraison|Bonjour {name}, votre colis {number} vous sera livré le {date} à {place}. Une signature vous sera demandée.",),
        "en": ("Your delivery|Hello {name}, your parcel {number} will be delivered on {date} in {place}. A signature is required.",),
        "de": ("Ihre Zustellung|Guten Tag {name}, Ihr Paket {number} wird voraussichtlich am {date} in {place} zugestellt. Bitte halten Sie sich für die Unterschrift bereit.",),
        "es": ("Su entrega|Hola, {name}: su paquete {number} será entregado el {date} en {place}. Se requiere firma.",),
        "it": ("La tua consegna|Ciao {name}, il collo {number} sarà consegnato il {date} a {place}. È richiesta la firma.",),
        "nl": ("Uw bezorging|Beste {name}, uw pakket {number} wordt naar verwachting op {date} in {place} bezorgd. Er is een handtekening nodig.",),
    },
    "requested": {
        "fr": ("Demande enregistrée|Votre demande de preuve de livraison pour le colis {number} a bien été reçue le {date}. Réponse sous 5 jours ouvrés.",),
        "en": ("Request received|We received your request for a proof of delivery for {number} on {date}. We will answer within 5 working days.",),
        "de": ("Anfrage eingegangen|Ihre Anforderung eines Zustellnachweises zu {number} ist am {date} eingegangen. Antwort in 5 Werktagen.",),
        "es": ("Solicitud recibida|Hemos recibido el {date} su solicitud de comprobante de entrega de {number}. Responderemos en 5 días laborables.",),
        "it": ("Richiesta ricevuta|Il {date} abbiamo ricevuto la richiesta di prova di consegna per {number}. Risponderemo entro 5 giorni lavorativi.",),
        "nl": ("Aanvraag ontvangen|Uw aanvraag van het afleverbewijs van {number} is op {date} ontvangen. U krijgt binnen 5 werkdagen antwoord.",),
    },
}  # fmt: skip

# General conditions of carriage, each paragraph after one of the articles that such conditions have.
CONDITIONS = {
    "fr": ("Article 1. Les présentes conditions générales régissent le transport des colis confiés à {carrier}.", "Article 2. Le colis est réputé livré lorsqu'il est remis au destinataire, à un voisin ou dans un point relais contre signature.", "Article 3. La preuve de livraison est constituée par la signature numérisée et conservée un an.", "Article 4. En cas de perte ou d'avarie, l'indemnité est limitée à 23 euros par kilogramme."),
    "en": ("1. These conditions of carriage apply to every parcel accepted by {carrier}.", "2. A parcel is delivered when it has been handed to the recipient, to a neighbour, or to a pick-up point and signed for.", "3. The recorded signature is the proof of delivery and is kept for one year.", "4. Liability for loss or damage is limited to 8.33 SDR per kilogram."),
    "de": ("§ 1 Diese Allgemeinen Geschäftsbedingungen gelten für alle Beförderungen durch {carrier}.", "§ 2 Ein Paket gilt als zugestellt, wenn es dem Empfänger, einem Nachbarn oder einem Paketshop gegen Unterschrift übergeben wurde.", "§ 3 Die digitalisierte Unterschrift gilt als Zustellnachweis und wird ein Jahr gespeichert.", "§ 4 Die Haftung ist auf 8,33 Sonderziehungsrechte je Kilogramm begrenzt."),
    "es": ("1. Estas condiciones generales se aplican a todos los envíos aceptados por {carrier}.", "2. El envío se considera entregado cuando lo recibe y firma el destinatario, un vecino o un punto de recogida.", "3. La firma digitalizada constituye el comprobante de entrega y se conserva un año.", "4. La responsabilidad por pérdida o daño se limita a 8,33 DEG por kilogramo."),
    "it": ("1. Le presenti condizioni di trasporto si applicano a tutte le spedizioni affidate a {carrier}.", "2. Il collo si intende consegnato quando viene ritirato e firmato dal destinatario, da un vicino o da un punto di ritiro.", "3. La firma digitale costituisce prova di consegna ed è conservata per un anno.", "4. La responsabilità per perdita o danno è limitata a 8,33 DSP per chilogrammo."),
    "nl": ("1. Deze algemene voorwaarden gelden voor alle zendingen die {carrier} aanneemt.", "2. Een pakket is afgeleverd zodra het tegen handtekening is overhandigd aan de ontvanger, de buren of een afhaalpunt.", "3. De vastgelegde handtekening geldt als afleverbewijs en wordt een jaar bewaard.", "4. De aansprakelijkheid is beperkt tot 8,33 SDR per kilogram."),
}  # fmt: skip
INVOICE = {
    "fr": ("Facture", "Total TTC", "Prestation de transport"),
    "en": ("Invoice", "Total including VAT", "Transport service"),
    "de": ("Rechnung", "Gesamtbetrag", "Beförderung"),
    "es": ("Factura", "Total con IVA", "Servicio de transporte"),
    "it": ("Fattura", "Totale IVA inclusa", "Servizio di trasporto"),
    "nl": ("Factuur", "Totaal incl. btw", "Transportdienst"),
}
WAYBILL = {
    "fr": "Bordereau d'expédition",
    "en": "Waybill",
    "de": "Frachtbrief",
    "es": "Carta de porte",
    "it": "Lettera di vettura",
    "nl": "Vrachtbrief",
}
