"""Words that say little about which event is meant: what each language is made of, and what all news is made of."""

# What sentences are made of; such a word counts for nothing.
FUNCTION: dict[str, str] = {
    "en": """
a an the and or but nor so yet if then than that this these those there here it its he she they them their his her him
we us our you your i me my who whom whose which what when where why how all any both each few more most other some such
no not only own same too very can could will would shall should may might must do does did done doing be is are was were
been being am have has had having of in on at by for with about against between into through during before after above
below to from up down out off over under again further once as until while because since though although also just even
still ever never now already much many every another amid among around across along despite via per within without
toward towards upon unless whether back away s t re ve ll d m let lets cannot
""",
    "de": """
der die das den dem des ein eine einen einem einer eines und oder aber doch sondern denn wenn als ob dass weil damit wie
wo wer was wann warum ich du er sie es wir ihr mich dich ihn uns euch ihnen mein dein sein seine seinen seiner seinem
ihre ihren ihrer ihrem unser euer dieser diese dieses diesen diesem jener jene jenes nicht kein keine keinen keiner nur
auch noch schon sehr mehr meist viel viele alle allen aller alles einige andere anderen anderer in im ins an am auf aus
bei beim bis durch fur gegen hinter mit nach neben ohne seit um unter uber vom von vor wahrend wegen zu zum zur zwischen
ist sind war waren wird werden wurde wurden worden hat haben hatte hatten kann konnen konnte soll sollen sollte will
wollen wollte muss mussen darf durfen sich so da hier dort dann nun jetzt wieder weiter bereits fast etwa rund dabei
dazu davon daruber darauf dafur dagegen ab je
""",
    "fr": """
le la les l un une des de du d et ou mais ni donc or car si que qui quoi dont ou quand comment pourquoi ce cet cette ces
c il elle ils elles on nous vous je j tu me te se s lui leur leurs y en mon ma mes ton ta tes son sa ses notre nos votre
vos ne pas n plus moins tres trop aussi encore deja jamais toujours tout toute tous toutes meme autre autres quelques
plusieurs chaque a au aux dans par pour sur sous avec sans entre vers chez contre depuis pendant apres avant jusqu jusque
est sont etait etaient sera seront ete etre suis ont avait avaient aura avoir fait faire font peut peuvent pourrait doit
doivent selon face lors ainsi alors puis ici comme qu m t aupres dont parmi afin
""",
    "es": """
el la los las lo un una unos unas y e o u pero ni que quien quienes cual cuales cuando donde como porque por para pues si
no se su sus mi mis tu tus nuestro nuestra este esta estos estas ese esa esos esas aquel eso esto yo el ella ellos ellas
nos les le me te de del al a ante bajo con contra desde durante en entre hacia hasta mediante segun sin sobre tras es son
era eran fue fueron sera seran ser sido esta estan estaba estar ha han habia haber hay hizo hace hacer puede pueden podria
debe deben mas menos muy tambien aun ya nunca siempre todo toda todos todas otro otra otros otras mismo misma cada varios
tan tanto asi luego cuyo sino
""",
}

# What news is made of; such a word counts for little and is never a rare one.
NEWS: dict[str, str] = {
    "en": """
say says said tell tells told new news report reports reported reporting reporter year years month months week weeks day
days today yesterday tomorrow tonight morning evening night afternoon hour hours minute minutes time times monday tuesday
wednesday thursday friday saturday sunday january february march april june july august september october november
december first second third last next latest late early earlier later recent recently long big bigger biggest large
largest small high higher highest low lower lowest top best worst good great bad old young major key main full part make
makes made making take takes took taken taking get gets got give gives gave given come comes came go goes went going see
sees seen saw show shows showed shown find finds found know known call calls called want wants use uses used using need
needs try tries tried trying work works worked working plan plans planned planning set sets put puts keep keeps kept hold
holds held run runs running start starts started begin begins began end ends ended stop stops stopped open opens opened
close closes closed rise rises rose rising fall falls fell falling drop drops dropped cut cuts hit hits face faces facing
win wins won lose loses lost beat beats lead leads led leading move moves moved turn turns turned bring brings brought
leave leaves left join joins joined return returns returned warn warns warned warning claim claims claimed deny denies
denied announce announces announced announcement reveal reveals revealed expect expects expected launch launches launched
back backs backed agree agrees agreed reject rejects rejected approve approves approved seek seeks sought urge urges urged
ask asks asked call help helps helped kill kills killed die dies died dead death deaths injured hurt wounded people person
man men woman women child children family families police officer officers official officials government minister
ministers ministry president prime leader leaders state states national country countries world international global local
city town region area county north south east west northern southern eastern western central company companies firm firms
business group groups market markets share shares price prices cost costs pay pays paid money deal deals sale sales sell
sells sold buy buys bought percent per cent million millions billion billions thousand thousands hundred hundreds dozen
dozens number numbers record records rate rates growth profit profits loss losses quarter quarterly annual court judge
case cases law laws bill vote votes voted election elections party parties campaign member members public people service
services system team teams game games match season league cup player players coach fans club home away final round goal
goals points score scored victory defeat draw study research researchers scientists expert experts data result results
test tests review reviews video watch live update updates photo photos picture pictures exclusive breaking analysis opinion
interview briefing story stories statement source sources according attack attacks fire war crisis concern concerns fears
fear hope hopes issue issues problem problems change changes future life live lives living place way ways thing things
follow follows following include includes including near nearly almost least half double amount total level levels
support supporters action power control force forces decision demand order orders talk talks meeting meet meets met
visit visits speech offer offers offered hospital school schools students university head chief executive director
spokesman spokeswoman former senior chairman officials authority authorities department agency office committee council
board union workers worker staff job jobs ago make despite amid become becomes became look looks looking like likely
""",
    "de": """
sagt sagte sagen neu neue neuen neuer neues jahr jahre jahren monat monate woche wochen tag tage tagen heute gestern morgen
abend nacht montag dienstag mittwoch donnerstag freitag samstag sonntag januar februar marz april mai juni juli august
september oktober november dezember uhr zeit erste ersten erster zweite zweiten dritte letzte letzten nachste kommenden
gross grosse grossen grosser klein kleine hoch hohe hoher hochste gut gute besser beste alt alte jung junge lang lange
kurz stark starker weniger viele macht machen gibt geben geht gehen kommt kommen steht stehen bleibt bleiben lasst lassen
nimmt nehmen sieht sehen findet finden fordert fordern warnt warnen plant planen will droht kritisiert erwartet zeigt
meldet melden berichtet bericht berichte mitteilte teilte angaben laut offenbar erneut mehrere tote toten tot gestorben
verletzte verletzt stirbt sterben mann manner frau frauen kind kinder menschen person personen familie polizei feuerwehr
regierung minister ministerium prasident kanzler land lander staat welt international bundes deutschland deutsche
deutschen deutscher stadt region nord sud ost west unternehmen konzern firma markt preis preise kosten geld euro prozent
million millionen milliarde milliarden tausend hundert dutzend zahl zahlen quartal gewinn verlust umsatz gericht urteil
prozess gesetz wahl wahlen partei parteien abstimmung mitglied spiel spiele saison liga pokal trainer verein fans sieg
niederlage unentschieden gewinnt gewinnen verliert tor tore punkte studie forscher experten ergebnis test video live
ticker update bilder exklusiv eilmeldung analyse kommentar interview lage krise angriff brand krieg unfall ende beginn
anfang start startet beginnt endet offnet schliesst steigt steigen sinkt sinken fallt fallen chef leiter sprecher ehemalige
fruhere grund frage problem probleme leben teil ort hilfe plan plane streit entscheidung
""",
    "fr": """
dit disent nouveau nouvelle nouveaux nouvelles an ans annee annees mois semaine semaines jour jours aujourd hui hier
demain matin soir nuit lundi mardi mercredi jeudi vendredi samedi dimanche janvier fevrier mars avril mai juin juillet
aout septembre octobre novembre decembre heure heures temps premier premiere premiers deuxieme troisieme dernier derniere
derniers prochain prochaine grand grande grands petit petite haut haute bas bon bonne meilleur vieux jeune long fort forte
annonce annoncent annoncer affirme assure estime demande appelle met mettre prend prendre donne va vont vient veut veulent
reste passe tient voit trouve montre lance ouvre ferme commence finit gagne perd bat mort morts mortes tue tues blesse
blesses homme hommes femme femmes enfant enfants personne personnes famille gens police policiers pompiers gouvernement
ministre ministres ministere president premier pays etat etats monde international france francais francaise francaises
ville region nord sud est ouest entreprise groupe societe marche prix cout argent euros euro million millions milliard
milliards mille cent centaine centaines dizaine dizaines nombre chiffre trimestre benefice perte ventes vente tribunal
justice proces loi election elections parti vote membre match saison ligue coupe equipe joueur entraineur club supporters
victoire defaite nul but buts points etude chercheurs experts resultat resultats video direct live photos exclusif
analyse interview crise attaque incendie guerre accident fin debut hausse baisse chef directeur porte parole ancien
ancienne question probleme vie partie lieu aide projet plan accord decision
""",
    "es": """
dice dicen dijo nuevo nueva nuevos nuevas ano anos mes meses semana semanas dia dias hoy ayer manana tarde noche lunes
martes miercoles jueves viernes sabado domingo enero febrero marzo abril mayo junio julio agosto septiembre octubre
noviembre diciembre hora horas tiempo primer primero primera segundo segunda tercer tercera ultimo ultima ultimos proximo
proxima gran grande grandes pequeno alto alta bajo baja buen bueno buena mejor viejo joven largo fuerte anuncia anuncian
anuncio afirma asegura pide piden llama pone toma da van va viene quiere quieren sigue pasa deja ve encuentra muestra
lanza abre cierra comienza empieza termina gana ganan pierde vence muere mueren muerto muertos muertes mata heridos herido
hombre hombres mujer mujeres nino ninos persona personas familia gente policia bomberos gobierno ministro ministra
ministerio presidente pais paises estado estados mundo internacional espana espanol espanola espanoles ciudad region
norte sur este oeste empresa grupo compania mercado precio precios coste dinero euro euros millon millones mil cien
cientos decena decenas docena numero cifra trimestre beneficio perdidas ventas tribunal justicia juicio juez ley eleccion
elecciones partido voto miembro temporada liga copa equipo jugador entrenador club aficionados victoria derrota empate
gol goles puntos estudio investigadores expertos resultado resultados video directo ultima fotos exclusiva analisis
entrevista crisis ataque incendio guerra accidente fin final inicio sube baja subida caida jefe director portavoz ex
antiguo cuestion problema vida parte lugar ayuda plan acuerdo decision
""",
}
